/** A checklist no policy follows. */
import type { Rule } from "../rule.ts";

export const verificationChecklistUnused: Rule = {
  id: "verification/checklist-unused",
  severity: "warning",
  title: "a checklist no policy follows",
  *check({ set }) {
    const used = new Set(set.policies.map((policy) => policy.verification.name));
    for (const checklist of set.checklists) {
      if (set.policies.length === 0 || used.has(checklist.name)) continue;
      yield {
        document: { kind: "VerificationChecklist", name: checklist.name },
        path: ["metadata", "name"],
        message: `no policy follows the checklist '${checklist.name}'`,
        hint: "somebody believes these checks run; name it in a policy or remove it",
      };
    }
  },
};
