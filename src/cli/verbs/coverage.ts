import { isAllCovered } from "../../health/coverage.ts";
import { coverageOf, lookAround } from "../../operate/look-around.ts";
import { renderCoverage } from "../../report/coverage.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface CoverageOptions extends SharedOptions {
  readonly all?: boolean;
}

export function coverageCommand() {
  return withWorldOptions(
    verbCommand("coverage", "what the sources hold that no policy backs up, and what was accepted"),
  )
    .option("--all", "what is backed up or set aside too")
    .action(async (options: CoverageOptions) => {
      await inWorld(options, async (world) => {
        world.step("looking at what the sources hold");
        const coverage = coverageOf(world, await lookAround(world));
        const isFinding =
          coverage.items.some((i) => i.class === "uncovered") || coverage.unusedWaivers.length > 0;
        if (isFinding) process.exitCode = 3;
        else if (coverage.unknown.length > 0) process.exitCode = 10;
        if (options.format === "json") return printJson({ ok: isAllCovered(coverage), ...coverage });
        const paint = paintFor(process.stdout);
        print(renderCoverage(coverage, { columns: columns(), paint, all: options.all === true }));
      });
    });
}
