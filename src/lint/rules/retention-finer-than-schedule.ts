/** A keep line finer than the captures. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { captureGapMs, dayMs } from "../schedules.ts";

export const retentionFinerThanSchedule: Rule = {
  id: "retention/finer-than-schedule",
  severity: "info",
  title: "a keep line finer than the captures",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      const { hourly, daily } = policy.retention.keep;
      const gapMs = captureGapMs(policy, nowMs);
      if (gapMs === Number.POSITIVE_INFINITY || daily === undefined || hourly === undefined || gapMs < dayMs)
        continue;
      yield inPolicy(policy, ["retention"], {
        message: `the row '${policy.retention.name}' keeps ${hourly} hourly points, captures are ${formatDuration(gapMs)} apart`,
        hint: "without a point in an hour the line reaches back to older ones and keeps more than it says; drop it",
      });
    }
  },
};
