/** An incremental chain is longer than the reach. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { cronGapMs } from "../schedules.ts";

export const scheduleChainOverReach: Rule = {
  id: "schedule/chain-over-reach",
  severity: "warning",
  title: "an incremental chain is longer than the reach",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      const { fullCron } = policy.capture;
      const { reachMs } = policy.objectives;
      if (fullCron === undefined || reachMs === "forever") continue;
      const gapMs = cronGapMs(fullCron, "Etc/UTC", nowMs);
      if (gapMs === Number.POSITIVE_INFINITY || gapMs <= reachMs) continue;
      yield inPolicy(policy, ["capture", "fullCron"], {
        message: `a chain lasts up to ${formatDuration(gapMs)}, the reach is ${formatDuration(reachMs)}`,
        hint: "one damaged full capture then costs every point of the reach; take full captures more often",
      });
    }
  },
};
