import { findPolicy } from "../../operate/find-policy.ts";
import { watch } from "../../operate/watch.ts";
import { formatSize } from "../../size.ts";
import { complain, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

export function watchCommand() {
  return withWorldOptions(verbCommand("watch", "capture on each change at the source, until stopped"))
    .argument("<policy>")
    .action(async (name: string, options: SharedOptions) => {
      await inWorld(options, async (world) => {
        await watch(world, findPolicy(world, name), (outcome, why) => {
          if (options.format === "json") return printJson({ ...outcome, why });
          if (options.quiet === true) return;
          complain(`· captured ${outcome.point}, ${formatSize(outcome.sizeBytes)}: ${why}`);
        });
      });
    });
}
