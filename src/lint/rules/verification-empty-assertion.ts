/** An assertion that cannot fail. */

import { cannotFail } from "../assertions.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const verificationEmptyAssertion: Rule = {
  id: "verification/empty-assertion",
  severity: "error",
  title: "an assertion that cannot fail",
  *check({ set }) {
    for (const policy of set.policies) {
      for (const [index, assertion] of policy.assertions.entries()) {
        if (!cannotFail(assertion.sql)) continue;
        yield inPolicy(policy, ["assertions", index, "sql"], {
          message: `'${assertion.sql.trim()}' is true for every database`,
          hint: "it looks like a proof and is none; ask for something only the real data has",
        });
      }
    }
  },
};
