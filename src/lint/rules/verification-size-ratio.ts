/** A size alarm that hardly fires. */
import type { Rule } from "../rule.ts";

export const verificationSizeRatio: Rule = {
  id: "verification/size-ratio",
  severity: "warning",
  title: "a size alarm that hardly fires",
  *check({ set }) {
    for (const checklist of set.checklists) {
      if (checklist.minimumSizeRatio >= 0.5) continue;
      yield {
        document: { kind: "VerificationChecklist", name: checklist.name },
        path: ["minimumSizeRatio"],
        message: `a backup counts as too small only under ${Math.round(checklist.minimumSizeRatio * 100)} % of the average`,
        hint: "half of the data may be missing unseen; 0.8 is usual",
      };
    }
  },
};
