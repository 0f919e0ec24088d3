/** The keep table cannot hold the reach. Proved by simulation, because a weekly line does not keep a point of each day and a count is no age. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { reachFailure } from "../schedules.ts";

export const objectiveReachNotHeld: Rule = {
  id: "objective/reach-not-held",
  severity: "error",
  title: "the keep table cannot hold the reach",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      const { reachMs } = policy.objectives;
      if (policy.schedule.kind !== "cron" || reachMs === "forever" || policy.retention.keep.forever) continue;
      const failure = reachFailure(policy, reachMs, nowMs);
      if (failure === undefined) continue;
      yield inPolicy(policy, ["objectives", "reach"], {
        message: `the row '${policy.retention.name}' cannot hold a reach of ${formatDuration(reachMs)}: ${failure}`,
        hint: "points the policy promises are deleted before their time; keep more of them or promise less",
      });
    }
  },
};
