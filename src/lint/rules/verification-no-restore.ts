/** No check ever restores a backup. */
import type { Rule } from "../rule.ts";

export const verificationNoRestore: Rule = {
  id: "verification/no-restore",
  severity: "warning",
  title: "no check ever restores a backup",
  *check({ set }) {
    for (const checklist of set.checklists) {
      if (checklist.checks.some((check) => check.level >= 4 && check.automated !== "no")) continue;
      yield {
        document: { kind: "VerificationChecklist", name: checklist.name },
        path: ["checks"],
        atKey: true,
        message: `no row of the checklist '${checklist.name}' restores a backup by itself`,
        hint: "a backup counts only when a restore has proved it; add a row of level 4",
      };
    }
  },
};
