/** A run may still be going when the next is due. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { captureGapMs } from "../schedules.ts";

export const scheduleDeadlineOverGap: Rule = {
  id: "schedule/deadline-over-gap",
  severity: "info",
  title: "a run may still be going when the next is due",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      if (policy.schedule.kind !== "cron") continue;
      const gapMs = captureGapMs(policy, nowMs);
      if (policy.deadlineMs <= gapMs) continue;
      yield inPolicy(policy, ["deadline"], {
        message: `a run may take ${formatDuration(policy.deadlineMs)}, the next is due after ${formatDuration(gapMs)}`,
        hint: "a run that hangs swallows the ones after it; set the deadline below the gap",
      });
    }
  },
};
