/** Nobody to ask. */
import type { Rule } from "../rule.ts";

export const policyNoOwner: Rule = {
  id: "policy/no-owner",
  severity: "warning",
  title: "nobody to ask",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.owner.trim() !== "") continue;
      yield {
        document: { kind: "BackupPolicy", name: policy.name },
        path: ["metadata", "name"],
        message: `the policy '${policy.name}' has no owner`,
        hint: "at three in the morning somebody has to be called; write spec.owner",
      };
    }
  },
};
