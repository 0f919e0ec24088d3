/** A cron line that never fires. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { neverFires } from "../schedules.ts";

export const scheduleNeverFires: Rule = {
  id: "schedule/never-fires",
  severity: "error",
  title: "a cron line that never fires",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      if (
        policy.schedule.kind === "cron" &&
        neverFires(policy.schedule.cron, policy.schedule.timeZone, nowMs)
      ) {
        yield inPolicy(policy, ["schedule", "cron"], {
          message: `'${policy.schedule.cron}' names a day that does not exist`,
          hint: "no backup is ever taken; write a day that every such month has",
        });
      }
      const { fullCron } = policy.capture;
      if (fullCron !== undefined && neverFires(fullCron, "Etc/UTC", nowMs)) {
        yield inPolicy(policy, ["capture", "fullCron"], {
          message: `'${fullCron}' names a day that does not exist`,
          hint: "no full capture is ever taken and the chain grows without end; write a day that every such month has",
        });
      }
    }
  },
};
