/** A drill to an instant without a canary. */
import { factsOf, inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const verificationNoCanary: Rule = {
  id: "verification/no-canary",
  severity: "warning",
  title: "a drill to an instant without a canary",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.canaryEveryMs > 0 || !factsOf(policy).pointInTime || policy.log !== undefined) continue;
      if (!policy.verification.checks.some((check) => check.level === 5 && check.automated === "yes"))
        continue;
      yield inPolicy(policy, ["verification"], {
        message: `the checklist '${policy.verification.name}' asks for level 5, but the policy keeps no change log and writes no canary`,
        hint: "level 5 restores to an instant and measures the loss; add the log and canaryEvery, or another checklist",
      });
    }
  },
};
