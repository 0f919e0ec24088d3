/** The lock ends before the floor of points is older. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { captureGapMs, dayMs } from "../schedules.ts";

export const storeLockBelowFloor: Rule = {
  id: "store/lock-below-floor",
  severity: "warning",
  title: "the lock ends before the floor of points is older",
  *check({ set, nowMs }) {
    const byName = new Map(set.stores.map((store) => [store.name, store]));
    for (const policy of set.policies) {
      const lock = byName.get(policy.store.name)?.objectLock;
      const gapMs = captureGapMs(policy, nowMs);
      if (lock === undefined || lock.mode === "none" || lock.days === 0 || gapMs === Number.POSITIVE_INFINITY)
        continue;
      const floorMs = policy.prune.floor * gapMs;
      if (lock.days * dayMs >= floorMs) continue;
      yield inPolicy(policy, ["store", "name"], {
        message: `the newest ${policy.prune.floor} points span ${formatDuration(floorMs)}, the store '${policy.store.name}' locks for ${lock.days}d`,
        hint: "an intruder can delete points the floor is meant to save; lock at least as long as the floor spans",
      });
    }
  },
};
