/** Nobody can tell whether source and store die together. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeFailureDomainUnknown: Rule = {
  id: "store/failure-domain-unknown",
  severity: "info",
  title: "nobody can tell whether source and store die together",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.failureDomain !== "") continue;
      yield inPolicy(policy, ["component"], {
        message: `the policy '${policy.name}' does not say where its source runs`,
        hint: "write failureDomain so that lint can compare it with the store's",
      });
    }
  },
};
