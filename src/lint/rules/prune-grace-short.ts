/** Deleted points can hardly be called back. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { dayMs } from "../schedules.ts";

export const pruneGraceShort: Rule = {
  id: "prune/grace-short",
  severity: "warning",
  title: "deleted points can hardly be called back",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.prune.graceMs >= dayMs || policy.retention.keep.forever) continue;
      yield inPolicy(policy, ["prune", "grace"], {
        message: `bytes go ${formatDuration(policy.prune.graceMs)} after their tombstone`,
        hint: "a wrong keep table is noticed the next morning at best; leave at least a day",
      });
    }
  },
};
