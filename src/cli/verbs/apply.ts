import { builtKinds } from "../../engine/engines.ts";
import { apply } from "../../operate/apply.ts";
import { observe } from "../../operate/observe.ts";
import { openStateFolder } from "../../operate/state-folder.ts";
import { plan as makePlan } from "../../plan/plan.ts";
import { describeAction } from "../../report/plan-action.ts";
import type { Plan } from "../../state/plan.ts";
import { paintFor, print, printJson } from "../console.ts";
import { requireFrozen } from "../frozen-review.ts";
import { requireLintClean } from "../lint-gate.ts";
import { inWorld, platformOption, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { readPlanFile } from "../plan-file.ts";
import { openPlatform } from "../reconciler.ts";

interface ApplyOptions extends SharedOptions {
  readonly plan?: string;
  readonly review?: string;
}

export function applyCommand() {
  return withWorldOptions(verbCommand("apply", "carry out a plan; refused when the world has moved since"))
    .addOption(platformOption())
    .option("--plan <file>", "a plan saved with plan --format json; without it one is made now")
    .option("--review <file>", "refuse unless the change comes to what this review of it said")
    .action(async (options: ApplyOptions) => {
      await requireLintClean(options);
      if (options.review !== undefined) await requireFrozen(options.review, options);
      await inWorld(options, async (world) => {
        // A running reconciler owns the jobs of its folder.
        const lock = await openStateFolder(world.stateDirectory).lock();
        try {
          const platform = openPlatform(world, options);
          const seen = await observe(world, platform);
          const plan: Plan =
            options.plan === undefined
              ? makePlan({
                  revision: world.revision,
                  set: world.set,
                  builtKinds,
                  actual: seen.actual,
                  catalogues: seen.catalogues,
                  nowMs: world.clock.nowMs(),
                  fingerprint: seen.fingerprint,
                })
              : await readPlanFile(options.plan);
          const outcomes = await apply(world, platform, plan, seen.fingerprint);
          const failed = outcomes.filter((o) => !o.ok);
          if (failed.length > 0 || plan.refusals.length > 0) process.exitCode = 4;
          if (options.format === "json")
            return printJson({ ok: failed.length === 0, outcomes, refusals: plan.refusals });
          const paint = paintFor(process.stdout);
          for (const { action, ok, detail } of outcomes) {
            print(
              `${ok ? paint.good("done  ") : paint.bad("failed")} ${describeAction(action)}${detail === "" ? "" : `\n       ${detail}`}`,
            );
          }
          for (const refusal of plan.refusals)
            print(`${paint.bad("refused")} ${refusal.policy}: ${refusal.message}\n       ${refusal.hint}`);
          print(
            failed.length > 0
              ? paint.bad(`${failed.length} of ${outcomes.length} actions failed`)
              : paint.good(
                  outcomes.length === 0
                    ? "nothing to do"
                    : `${outcomes.length} actions done; holdfast run starts the schedules`,
                ),
          );
        } finally {
          await lock.release();
        }
      });
    });
}
