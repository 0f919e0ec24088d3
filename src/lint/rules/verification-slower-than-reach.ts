/** A proof may be older than every point. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const verificationSlowerThanReach: Rule = {
  id: "verification/slower-than-reach",
  severity: "info",
  title: "a proof may be older than every point",
  *check({ set }) {
    for (const policy of set.policies) {
      const { reachMs } = policy.objectives;
      if (reachMs === "forever") continue;
      const slow = policy.verification.checks.find((check) => check.everyMs > reachMs);
      if (slow === undefined) continue;
      yield inPolicy(policy, ["verification"], {
        message: `'${slow.name}' runs every ${formatDuration(slow.everyMs)}, points are kept ${formatDuration(reachMs)}`,
        hint: "the proven point is gone before the next proof; check more often or keep longer",
      });
    }
  },
};
