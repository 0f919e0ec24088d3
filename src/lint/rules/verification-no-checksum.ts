/** No check reads the stored bytes. */
import type { Rule } from "../rule.ts";

export const verificationNoChecksum: Rule = {
  id: "verification/no-checksum",
  severity: "warning",
  title: "no check reads the stored bytes",
  *check({ set }) {
    for (const checklist of set.checklists) {
      // Every higher level reads the bytes of the point it judges.
      if (checklist.checks.some((check) => check.level >= 2)) continue;
      yield {
        document: { kind: "VerificationChecklist", name: checklist.name },
        path: ["checks"],
        atKey: true,
        message: `no row of the checklist '${checklist.name}' reads what is stored`,
        hint: "bits rot unseen while only names and sizes are looked at; add a row of level 2",
      };
    }
  },
};
