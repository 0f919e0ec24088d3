/** The PITR window is longer than the reach. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveReachBelowWindow: Rule = {
  id: "objective/reach-below-window",
  severity: "error",
  title: "the PITR window is longer than the reach",
  *check({ set }) {
    for (const policy of set.policies) {
      const { pitrWindowMs, reachMs } = policy.objectives;
      if (reachMs === "forever" || pitrWindowMs <= reachMs) continue;
      yield inPolicy(policy, ["objectives", "pitrWindow"], {
        message: `the window of ${formatDuration(pitrWindowMs)} is longer than the reach of ${formatDuration(reachMs)}`,
        hint: "every instant of the window is inside the reach; raise the reach or shorten the window",
      });
    }
  },
};
