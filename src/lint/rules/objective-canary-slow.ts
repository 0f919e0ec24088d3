/** The canary is written less often than the rpo it measures. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveCanarySlow: Rule = {
  id: "objective/canary-slow",
  severity: "warning",
  title: "the canary is written less often than the rpo it measures",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.canaryEveryMs === 0 || policy.canaryEveryMs <= policy.objectives.rpoMs) continue;
      yield inPolicy(policy, ["canaryEvery"], {
        message: `a canary every ${formatDuration(policy.canaryEveryMs)} cannot measure an rpo of ${formatDuration(policy.objectives.rpoMs)}`,
        hint: "the measured loss is never finer than the canary; write it at least as often as the rpo",
      });
    }
  },
};
