/** One run may delete most of the points. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const pruneShareHigh: Rule = {
  id: "prune/share-high",
  severity: "warning",
  title: "one run may delete most of the points",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.prune.maxShare <= 0.5) continue;
      yield inPolicy(policy, ["prune", "maxShare"], {
        message: `one run may remove ${Math.round(policy.prune.maxShare * 100)} % of the points`,
        hint: "the cap is what stops a wrong table; 0.1 is usual, and a large clean-up may be done by hand",
      });
    }
  },
};
