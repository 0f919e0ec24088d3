/** A PITR window without a change log. */
import { formatDuration } from "../../time/duration.ts";
import { factsOf, inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectivePitrWithoutLog: Rule = {
  id: "objective/pitr-without-log",
  severity: "error",
  title: "a PITR window without a change log",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.objectives.pitrWindowMs === 0 || policy.log !== undefined) continue;
      const facts = factsOf(policy);
      yield inPolicy(policy, ["objectives", "pitrWindow"], {
        message: facts.pointInTime
          ? `a window of ${formatDuration(policy.objectives.pitrWindowMs)} is promised, but no ${facts.log ?? "log"} is kept`
          : `${facts.title} has no change log, so no window of ${formatDuration(policy.objectives.pitrWindowMs)} can be restored`,
        hint: facts.pointInTime
          ? `add spec.${logKey(policy)}, or drop the window`
          : "drop the window; only the captured points can be restored",
      });
    }
  },
};
