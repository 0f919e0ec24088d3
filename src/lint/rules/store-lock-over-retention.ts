/** Objects are locked longer than they are kept. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy, longestKeepDays } from "../places.ts";
import type { Rule } from "../rule.ts";
import { dayMs } from "../schedules.ts";

export const storeLockOverRetention: Rule = {
  id: "store/lock-over-retention",
  severity: "warning",
  title: "objects are locked longer than they are kept",
  *check({ set }) {
    const byName = new Map(set.stores.map((store) => [store.name, store]));
    for (const policy of set.policies) {
      const lock = byName.get(policy.store.name)?.objectLock;
      const days = longestKeepDays(policy.retention.keep);
      if (lock === undefined || lock.mode === "none" || days === undefined || lock.days <= days) continue;
      yield inPolicy(policy, ["retention"], {
        message: `the row '${policy.retention.name}' lets go after ${formatDuration(days * dayMs)}, the store '${policy.store.name}' locks for ${lock.days}d`,
        hint: "deletion fails until the lock ends and the bucket grows past its plan; shorten the lock or keep points longer",
      });
    }
  },
};
