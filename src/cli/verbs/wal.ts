import { findPolicy } from "../../operate/find-policy.ts";
import { receive } from "../../operate/receive.ts";
import { complain, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

export function walCommand() {
  return withWorldOptions(verbCommand("wal", "the resident receiver of a policy's change log"))
    .argument("<policy>")
    .action(async (name: string, options: SharedOptions) => {
      await inWorld(options, async (world) => {
        const policy = findPolicy(world, name);
        let shown = "";
        await receive(world, policy, (flow) => {
          if (options.format === "json") return printJson(flow);
          if (options.quiet === true || flow.stored === shown) return;
          shown = flow.stored;
          complain(`· stored ${flow.stored}${flow.partial ? " (partial)" : ""} at ${flow.storedAt}`);
        });
      });
    });
}
