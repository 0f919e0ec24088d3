/** Data loss of minutes is promised and never measured. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveCanaryOff: Rule = {
  id: "objective/canary-off",
  severity: "warning",
  title: "data loss of minutes is promised and never measured",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.log === undefined || policy.canaryEveryMs > 0 || policy.suspended) continue;
      yield inPolicy(policy, ["objectives", "rpo"], {
        message: `an rpo of ${formatDuration(policy.objectives.rpoMs)} is promised, but no canary is written that could measure it`,
        hint: "without a canary a restore cannot tell how much was lost; set canaryEvery below the rpo",
      });
    }
  },
};
