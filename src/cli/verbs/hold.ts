import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { hold, unhold } from "../../operate/hold.ts";
import { print, printJson } from "../console.ts";
import { inWorld, parseInstant, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface HoldCommandOptions extends SharedOptions {
  readonly reason?: string;
  readonly by?: string;
  readonly until?: number;
  readonly release?: boolean;
}

export function holdCommand() {
  return withWorldOptions(verbCommand("hold", "keep a recovery point whatever the keep table says"))
    .argument("<policy>")
    .argument("<point>")
    .option("--reason <text>", "why; people read it in a year")
    .option("--by <name>", "who", process.env["USER"] ?? "unknown")
    .option("--until <instant>", "the hold ends then; for ever when not given", parseInstant)
    .option("--release", "end the hold")
    .action(async (name: string, point: string, options: HoldCommandOptions) => {
      if (options.release !== true && (options.reason ?? "").trim() === "") {
        throw new HoldfastError("usage", "a hold needs --reason", {
          hint: "say why, such as --reason 'audit 2026-11'",
        });
      }
      await inWorld(options, async (world) => {
        const policy = findPolicy(world, name);
        if (options.release === true) {
          await unhold(world, policy, point);
          return options.format === "json"
            ? printJson({ ok: true, point, held: false })
            : print(`${point} is not held any more`);
        }
        const until = options.until === undefined ? null : instant(options.until);
        const value = await hold(world, policy, point, {
          by: options.by ?? "unknown",
          reason: options.reason ?? "",
          until,
        });
        if (options.format === "json") return printJson({ ok: true, held: true, ...value });
        print(`${point} is held ${until === null ? "for ever" : `until ${until}`}: ${value.reason}`);
      });
    });
}
