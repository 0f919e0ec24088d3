import { builtKinds } from "../../engine/engines.ts";
import { observe } from "../../operate/observe.ts";
import { plan as makePlan } from "../../plan/plan.ts";
import { planJson } from "../../report/json.ts";
import { renderPlanMarkdown } from "../../report/plan-markdown.ts";
import { renderPlan } from "../../report/tables.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import { requireLintClean } from "../lint-gate.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { openPlatform } from "../reconciler.ts";
import { compareRevisions } from "../revisions.ts";

interface PlanCommandOptions extends SharedOptions {
  readonly base?: string;
}

export function planCommand() {
  return withWorldOptions(
    verbCommand("plan", "what apply would do, each action with its reason", ["text", "json", "markdown"]),
  )
    .option("--base <rev>", "what the change from this revision does, also to the stored points")
    .action(async (options: PlanCommandOptions) => {
      await requireLintClean(options);
      await inWorld(options, async (world) => {
        const seen = await observe(world, openPlatform(world, options));
        if (options.base !== undefined) return compareRevisions(world, options, options.base, seen);
        const plan = makePlan({
          revision: world.revision,
          set: world.set,
          builtKinds,
          actual: seen.actual,
          catalogues: seen.catalogues,
          nowMs: world.clock.nowMs(),
          fingerprint: seen.fingerprint,
        });
        if (options.format === "json") return printJson(planJson(plan));
        if (options.format === "markdown") return print(renderPlanMarkdown(plan));
        print(renderPlan(plan, { paint: paintFor(process.stdout), columns: columns() }));
      });
    });
}
