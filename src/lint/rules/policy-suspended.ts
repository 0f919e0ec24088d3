/** A policy that takes no backups. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const policySuspended: Rule = {
  id: "policy/suspended",
  severity: "warning",
  title: "a policy that takes no backups",
  *check({ set }) {
    for (const policy of set.policies) {
      if (!policy.suspended) continue;
      yield inPolicy(policy, ["suspended"], {
        message: `the policy '${policy.name}' is suspended: nothing is captured and nothing deleted`,
        hint: "suspensions are forgotten; accept it with a waiver that has an end",
      });
    }
  },
};
