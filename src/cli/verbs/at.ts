import { timeTravel } from "../../health/time-travel.ts";
import { readFacts } from "../../operate/at.ts";
import { renderTimeTravel } from "../../report/time-travel.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import { inWorld, parseInstant, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { policiesThen } from "../policies-then.ts";

export function atCommand() {
  return withWorldOptions(
    verbCommand("at", "what can be brought back to an instant, policy by policy and together"),
  )
    .argument("<instant>", "such as 2026-11-20T14:03:00Z", parseInstant)
    .action(async (atMs: number, options: SharedOptions) => {
      await inWorld(options, async (world) => {
        const { facts, exitStatus } = await readFacts(world);
        const travel = timeTravel(facts, await policiesThen(options, atMs), atMs);
        if (!travel.ok) process.exitCode = exitStatus === 0 ? 5 : exitStatus;
        if (options.format === "json") return printJson(travel);
        print(renderTimeTravel(travel, { columns: columns(), paint: paintFor(process.stdout) }));
      });
    });
}
