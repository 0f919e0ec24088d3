/** Captures are too far apart for the data loss the policy allows. A change log bridges the gaps between captures; such a policy is judged by how often the log is pushed. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { captureGapMs } from "../schedules.ts";

export const objectiveRpoSchedule: Rule = {
  id: "objective/rpo-schedule",
  severity: "error",
  title: "captures are too far apart for the data loss the policy allows",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      if (policy.log !== undefined || policy.schedule.kind !== "cron") continue;
      const gapMs = captureGapMs(policy, nowMs);
      if (gapMs === Number.POSITIVE_INFINITY || gapMs <= policy.objectives.rpoMs) continue;
      yield inPolicy(policy, ["objectives", "rpo"], {
        message: `captures are up to ${formatDuration(gapMs)} apart, the policy allows ${formatDuration(policy.objectives.rpoMs)} of data loss`,
        hint: "a disaster just before the next capture costs the whole gap; capture more often, archive the change log, or allow more loss",
      });
    }
  },
};
