/** A check that nobody runs automatically. */
import type { Rule } from "../rule.ts";

export const verificationManual: Rule = {
  id: "verification/manual",
  severity: "info",
  title: "a check that nobody runs automatically",
  *check({ set }) {
    for (const checklist of set.checklists) {
      for (const [index, check] of checklist.checks.entries()) {
        if (check.automated !== "no") continue;
        yield {
          document: { kind: "VerificationChecklist", name: checklist.name },
          path: ["checks", index, "automated"],
          message: `'${check.name}' is done by hand`,
          hint: "what is done by hand is skipped first; let Holdfast do it",
        };
      }
    }
  },
};
