/** A restore may take longer than three days. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";
import { dayMs } from "../schedules.ts";

export const objectiveRtoLong: Rule = {
  id: "objective/rto-long",
  severity: "warning",
  title: "a restore may take longer than three days",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.objectives.rtoMs <= 3 * dayMs) continue;
      yield inPolicy(policy, ["objectives", "rto"], {
        message: `a restore may take ${formatDuration(policy.objectives.rtoMs)}`,
        hint: "an rto of days hides a restore that never ends; most often the unit is wrong",
      });
    }
  },
};
