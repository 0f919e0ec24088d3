/** A single proven point is the floor. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const pruneFloorLow: Rule = {
  id: "prune/floor-low",
  severity: "warning",
  title: "a single proven point is the floor",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.prune.floor >= 2 || policy.retention.keep.forever) continue;
      yield inPolicy(policy, ["prune", "floor"], {
        message: `${policy.prune.floor} proven point stays whatever the table says`,
        hint: "when that one is damaged nothing is left; keep at least two",
      });
    }
  },
};
