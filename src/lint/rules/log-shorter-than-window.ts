/** The change log expires inside the PITR window. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy, logKey, longestKeepDays } from "../places.ts";
import type { Rule } from "../rule.ts";
import { dayMs } from "../schedules.ts";

export const logShorterThanWindow: Rule = {
  id: "log/shorter-than-window",
  severity: "error",
  title: "the change log expires inside the PITR window",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.log === undefined) continue;
      const days = longestKeepDays(policy.log.retention.keep);
      if (days === undefined || days * dayMs >= policy.objectives.pitrWindowMs) continue;
      yield inPolicy(policy, [logKey(policy), "retention"], {
        message: `the row '${policy.log.retention.name}' keeps the log ${formatDuration(days * dayMs)}, the window is ${formatDuration(policy.objectives.pitrWindowMs)}`,
        hint: "an instant without its log cannot be restored; keep the log at least as long as the window",
      });
    }
  },
};
