/** The backup dies with its source. */
import { inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeSameFailureDomain: Rule = {
  id: "store/same-failure-domain",
  severity: "error",
  title: "the backup dies with its source",
  *check({ set }) {
    const byName = new Map(set.stores.map((store) => [store.name, store]));
    for (const policy of set.policies) {
      if (policy.failureDomain === "") continue;
      const places = [{ reference: policy.store, path: ["store", "name"] }];
      if (policy.log !== undefined)
        places.push({ reference: policy.log.store, path: [logKey(policy), "store", "name"] });
      for (const { reference, path } of places) {
        if (byName.get(reference.name)?.failureDomain !== policy.failureDomain) continue;
        yield inPolicy(policy, path, {
          message: `the source and the store '${reference.name}' are both in '${policy.failureDomain}'`,
          hint: "what destroys the source destroys its backups too; use a store in another failure domain",
        });
      }
    }
  },
};
