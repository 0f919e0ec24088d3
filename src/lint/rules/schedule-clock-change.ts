/** A cron time that a clock change skips or repeats. */

import { clockFault } from "../clock-faults.ts";
import { cronOf, inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const scheduleClockChange: Rule = {
  id: "schedule/clock-change",
  severity: "warning",
  title: "a cron time that a clock change skips or repeats",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      if (policy.schedule.kind !== "cron") continue;
      const cron = cronOf(policy.schedule.cron);
      if (cron === undefined) continue;
      const fault = clockFault(cron, policy.schedule.timeZone, nowMs);
      if (fault === undefined) continue;
      yield inPolicy(policy, ["schedule", "cron"], {
        message: `on ${fault.day} in ${policy.schedule.timeZone} the time ${fault.time} ${fault.isSkipped ? "does not exist" : "comes twice"}`,
        hint: "schedulers disagree about such a run: skipped, late or doubled; use Etc/UTC or an hour outside the change",
      });
    }
  },
};
