/** The change log's row keeps samples, which tears holes into the log. */
import { inPolicy, logKey } from "../places.ts";
import type { Rule } from "../rule.ts";

export const logThinned: Rule = {
  id: "log/thinned",
  severity: "error",
  title: "the change log's row keeps samples, which tears holes into the log",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.log === undefined) continue;
      const { keep } = policy.log.retention;
      if (keep.forever || keep.days !== undefined) continue;
      yield inPolicy(policy, [logKey(policy), "retention"], {
        message: `the row '${policy.log.retention.name}' thins the log out (${Object.keys(keep).join(", ")})`,
        hint: "replay stops at the first missing piece; a log is kept by age alone, such as keep: {days: 7}",
      });
    }
  },
};
