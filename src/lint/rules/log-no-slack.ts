/** The log's own time ends before that of the point the window starts from. Pieces that kept points need stay whatever the row says, so this is no hole, only a surprise in the bill. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy, logKey, longestKeepDays } from "../places.ts";
import type { Rule } from "../rule.ts";
import { captureGapMs, dayMs } from "../schedules.ts";

export const logNoSlack: Rule = {
  id: "log/no-slack",
  severity: "info",
  title: "the log's own time ends before that of the point the window starts from",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      if (policy.log === undefined || policy.objectives.pitrWindowMs === 0) continue;
      const days = longestKeepDays(policy.log.retention.keep);
      const gapMs = captureGapMs(policy, nowMs);
      const neededMs = policy.objectives.pitrWindowMs + gapMs;
      if (days === undefined || gapMs === Number.POSITIVE_INFINITY) continue;
      if (days * dayMs >= neededMs || days * dayMs < policy.objectives.pitrWindowMs) continue;
      yield inPolicy(policy, [logKey(policy), "retention"], {
        message: `the window starts from a point up to ${formatDuration(neededMs)} old, the row '${policy.log.retention.name}' keeps the log ${formatDuration(days * dayMs)}`,
        hint: "the log that point needs is kept longer than the row says; write the window plus one capture interval to see the true size",
      });
    }
  },
};
