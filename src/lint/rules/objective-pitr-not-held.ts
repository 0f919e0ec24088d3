/** No captured point old enough for the start of the PITR window is kept. To restore any instant of the window there must be a point at or before its first instant. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { reachFailure } from "../schedules.ts";

export const objectivePitrNotHeld: Rule = {
  id: "objective/pitr-not-held",
  severity: "error",
  title: "no captured point old enough for the start of the PITR window is kept",
  *check({ set, nowMs }) {
    for (const policy of set.policies) {
      const { pitrWindowMs, reachMs } = policy.objectives;
      if (policy.schedule.kind !== "cron" || pitrWindowMs === 0 || policy.retention.keep.forever) continue;
      // A window as long as the reach is the reach's own finding.
      if (reachMs !== "forever" && pitrWindowMs >= reachMs) continue;
      const failure = reachFailure(policy, pitrWindowMs, nowMs);
      if (failure === undefined) continue;
      yield inPolicy(policy, ["objectives", "pitrWindow"], {
        message: `the row '${policy.retention.name}' cannot hold a window of ${formatDuration(pitrWindowMs)}: ${failure}`,
        hint: "a log without a captured point before it cannot be replayed; keep points longer or promise a shorter window",
      });
    }
  },
};
