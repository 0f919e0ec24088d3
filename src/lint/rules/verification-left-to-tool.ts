/** Backups that nobody proves. */
import { isScheduledByTool } from "../../component.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const verificationLeftToTool: Rule = {
  id: "verification/left-to-tool",
  severity: "warning",
  title: "backups that nobody proves",
  *check({ set }) {
    for (const policy of set.policies) {
      if (!isScheduledByTool(policy.component, policy.capture.method)) continue;
      yield inPolicy(policy, ["capture", "method"], {
        message: `the tool's own schedule makes the backups of '${policy.name}', and none of them is proved`,
        hint: "a backup that was never restored may be none; take the component's method that makes points",
      });
    }
  },
};
