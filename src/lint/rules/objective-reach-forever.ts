/** The policy promises to reach back for ever, its keep table expires points. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveReachForever: Rule = {
  id: "objective/reach-forever",
  severity: "error",
  title: "the policy promises to reach back for ever, its keep table expires points",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.objectives.reachMs !== "forever" || policy.retention.keep.forever) continue;
      yield inPolicy(policy, ["objectives", "reach"], {
        message: `the reach is forever, but the row '${policy.retention.name}' lets points expire`,
        hint: "use a row with keep: {forever: true}, or write the age the row really reaches",
      });
    }
  },
};
