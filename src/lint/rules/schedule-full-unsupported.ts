/** Full captures are scheduled apart where all are full. */
import { factsOf, inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const scheduleFullUnsupported: Rule = {
  id: "schedule/full-unsupported",
  severity: "error",
  title: "full captures are scheduled apart where all are full",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.capture.fullCron === undefined || factsOf(policy).incremental) continue;
      yield inPolicy(policy, ["capture", "fullCron"], {
        atKey: true,
        message: `${factsOf(policy).title} has no incremental captures, so fullCron means nothing`,
        hint: "every capture is full already; remove the line",
      });
    }
  },
};
