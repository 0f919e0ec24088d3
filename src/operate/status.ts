/** What holds now, for every policy that can be judged. */
import { worstFirst } from "../health/conditions.ts";
import { coverageConditions } from "../health/coverage.ts";
import { judge } from "../health/judge.ts";
import type { Policy } from "../policy/model.ts";
import type { Looks } from "../state/coverage.ts";
import type { Condition, PolicyHealth } from "../state/health.ts";
import { concerns } from "../state/job.ts";
import { coverageOf } from "./look-around.ts";
import type { Observation } from "./observe.ts";
import type { World } from "./world.ts";

export interface Status {
  readonly healths: readonly PolicyHealth[];
  /** Policies whose component has no engine yet. */
  readonly notBuilt: readonly Policy[];
}

/** Pure but for the clock: judges an observation, and the last look at what the sources hold where there is one. */
export function statusOf(world: World, seen: Observation, looks?: Looks): Status {
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
  const coverage =
    looks === undefined ? [] : coverageConditions(coverageOf(world, looks), world.set.policies);
  return {
    healths: healths.map((health) => withConditions(health, coverage)),
    notBuilt: world.set.policies.filter((p) => !world.hasEngine(p)),
  };
}

function withConditions(health: PolicyHealth, more: readonly Condition[]): PolicyHealth {
  const own = more.filter((c) => c.policy === health.policy);
  return own.length === 0 ? health : { ...health, conditions: worstFirst([...health.conditions, ...own]) };
}
