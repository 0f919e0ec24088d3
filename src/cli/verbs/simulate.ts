import { findPolicy } from "../../operate/find-policy.ts";
import { simulateJson } from "../../report/json.ts";
import { renderSimulate } from "../../report/tables.ts";
import { simulate } from "../../retention/simulate.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import {
  inWorld,
  parseInstant,
  parseWholeNumber,
  type SharedOptions,
  verbCommand,
  withWorldOptions,
} from "../options.ts";

interface SimulateOptions extends SharedOptions {
  readonly days: number;
  readonly from?: number;
  readonly offline?: boolean;
}

export function simulateCommand() {
  return withWorldOptions(verbCommand("simulate", "day by day, what the keep table keeps and lets go"))
    .argument("<policy>")
    .option("--days <n>", "how far ahead", parseWholeNumber(1, 4000), 400)
    .option("--from <instant>", "begin here and not now", parseInstant)
    .option("--offline", "begin with an empty catalogue; no store is asked")
    .action(async (name: string, options: SimulateOptions) => {
      await inWorld(options, async (world) => {
        const policy = findPolicy(world, name);
        const isStoreRead = options.offline !== true && world.hasEngine(policy);
        const catalogue = isStoreRead ? await (await world.repository(policy)).catalogue() : undefined;
        const simulation = simulate({
          policy,
          fromMs: options.from ?? world.clock.nowMs(),
          days: options.days,
          ...(catalogue === undefined ? {} : { catalogue }),
        });
        if (options.format === "json") return printJson(simulateJson([simulation]));
        print(renderSimulate([simulation], { paint: paintFor(process.stdout), columns: columns() }));
      });
    });
}
