/** A restore is asked for and nothing is asked of what it restored. */
import { factsOf, inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const verificationWithoutAssertions: Rule = {
  id: "verification/without-assertions",
  severity: "warning",
  title: "a restore is asked for and nothing is asked of what it restored",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.assertions.length > 0 || factsOf(policy).log !== "WAL") continue;
      if (!policy.verification.checks.some((check) => check.level >= 4)) continue;
      yield inPolicy(policy, ["verification"], {
        message: `the checklist '${policy.verification.name}' asks for restores, but the policy asserts nothing about them`,
        hint: "an empty database restores without a fault; add assertions about rows that must be there",
      });
    }
  },
};
