/** What holds now, for every policy that can be judged. */
import { judge } from "../health/judge.ts";
import type { Policy } from "../policy/model.ts";
import type { PolicyHealth } from "../state/health.ts";
import { concerns } from "../state/job.ts";
import type { Observation } from "./observe.ts";
import type { World } from "./world.ts";

export interface Status {
  readonly healths: readonly PolicyHealth[];
  /** Policies whose component has no engine yet. */
  readonly notBuilt: readonly Policy[];
}

/** Pure but for the clock: judges an observation. */
export function statusOf(world: World, seen: Observation): Status {
  const nowMs = world.clock.nowMs();
  const healths: PolicyHealth[] = [];
  for (const policy of world.set.policies) {
    if (!world.hasEngine(policy)) continue;
    const catalogue = seen.catalogues.get(policy.name);
    const source = seen.actual.sources.find((s) => s.policy === policy.name);
    const store = seen.actual.stores.find((s) => s.policy === policy.name);
    const reachMs = seen.logReachMs.get(policy.name);
    healths.push(
      judge({
        policy,
        keys: world.set.keys,
        jobs: seen.actual.jobs.filter((j) => concerns(j.job, policy.name)),
        nowMs,
        ...(catalogue === undefined ? {} : { catalogue }),
        ...(source === undefined ? {} : { source }),
        ...(store === undefined ? {} : { store }),
        ...(reachMs === undefined ? {} : { logReachMs: reachMs }),
      }),
    );
  }
  return { healths, notBuilt: world.set.policies.filter((p) => !world.hasEngine(p)) };
}
