/** Many policies start in one minute. */
import { cronOf, inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const scheduleCollision: Rule = {
  id: "schedule/collision",
  severity: "warning",
  title: "many policies start in one minute",
  *check({ set }) {
    const limit = Math.max(8, 4 * (set.reconciler?.maxParallelRuns ?? 2));
    const starts = new Map<string, number>();
    for (const policy of set.policies) {
      if (policy.schedule.kind !== "cron" || policy.suspended) continue;
      const cron = cronOf(policy.schedule.cron);
      // What runs several times a day meets others anyway and is short.
      if (cron === undefined || cron.hours.length * cron.minutes.length > 4) continue;
      const key = `${cron.hours.join()}:${cron.minutes.join()} ${policy.schedule.timeZone}`;
      const count = (starts.get(key) ?? 0) + 1;
      starts.set(key, count);
      if (count !== limit + 1) continue;
      yield inPolicy(policy, ["schedule", "cron"], {
        message: `more than ${limit} policies start at '${policy.schedule.cron}' in ${policy.schedule.timeZone}`,
        hint: "the last of them waits for all others and may miss its deadline; spread the minutes",
      });
    }
  },
};
