/** The change log is pushed less often than the data loss allows. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const logPushOverRpo: Rule = {
  id: "log/push-over-rpo",
  severity: "error",
  title: "the change log is pushed less often than the data loss allows",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.log === undefined || policy.log.pushEveryMs <= policy.objectives.rpoMs) continue;
      yield inPolicy(policy, [logKey(policy), "pushEvery"], {
        message: `the log is pushed every ${formatDuration(policy.log.pushEveryMs)}, the policy allows ${formatDuration(policy.objectives.rpoMs)} of data loss`,
        hint: "what is not pushed dies with the server; push at least as often as the rpo",
      });
    }
  },
};
