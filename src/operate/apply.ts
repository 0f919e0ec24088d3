/** Carries out a plan, action by action. What the plan does not say is not done. */
import { HoldfastError } from "../errors.ts";
import { refuseStale } from "../plan/guard.ts";
import type { Platform } from "../platform/platform.ts";
import type { Action, Plan } from "../state/plan.ts";
import { findPolicy } from "./find-policy.ts";
import type { World } from "./world.ts";

export interface ActionOutcome {
  readonly action: Action;
  readonly ok: boolean;
  /** The same action may succeed later without anybody mending anything. */
  readonly transient: boolean;
  /** What went wrong, or empty. */
  readonly detail: string;
}

/**
 * Performs the plan's actions in order; one that fails does not stop those of other policies.
 * @throws plan-stale before anything is done when `fingerprint` is not the plan's
 */
export async function apply(
  world: World,
  platform: Platform,
  plan: Plan,
  fingerprint: string,
): Promise<readonly ActionOutcome[]> {
  refuseStale(plan, fingerprint);
  const outcomes: ActionOutcome[] = [];
  const failed = new Set<string>();
  for (const action of plan.actions) {
    if (failed.has(action.policy)) {
      outcomes.push({
        action,
        ok: false,
        transient: true,
        detail: "an earlier action of this policy failed",
      });
      continue;
    }
    try {
      await perform(world, platform, action, plan.revision);
      outcomes.push({ action, ok: true, transient: false, detail: "" });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failed.add(action.policy);
      outcomes.push({
        action,
        ok: false,
        transient: error.transient,
        detail: `${error.code}: ${error.message}`,
      });
    }
  }
  if (failed.size === 0) await platform.setRevision(plan.revision);
  return outcomes;
}

/** One action, carried out. @throws HoldfastError when it could not be */
export async function perform(
  world: World,
  platform: Platform,
  action: Action,
  revision: string,
): Promise<void> {
  switch (action.kind) {
    case "create-job":
    case "update-job":
      await platform.putJob(action.job, revision);
      return;
    case "remove-job":
      await platform.removeJob(action.key);
      return;
    case "run-job":
      await platform.startRun(action.key, action.slotAt);
      return;
    case "mark-store": {
      const repository = await world.repository(findPolicy(world, action.policy));
      await repository.mark();
      return;
    }
    case "mend-source": {
      const policy = findPolicy(world, action.policy);
      await world.withContext(policy, {}, async (context) =>
        (await world.engine(policy)).mend(context, action.setting),
      );
      return;
    }
    case "tombstone":
    case "delete-point":
    case "delete-log":
      throw new HoldfastError(
        "guard-refused",
        `'${action.kind}' is left to holdfast prune ${action.policy}, which holds the lock`,
      );
  }
}
