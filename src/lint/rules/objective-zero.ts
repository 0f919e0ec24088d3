/** An objective of zero that no backup can keep. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveZero: Rule = {
  id: "objective/zero",
  severity: "error",
  title: "an objective of zero that no backup can keep",
  *check({ set }) {
    for (const policy of set.policies) {
      const { rpoMs, rtoMs } = policy.objectives;
      // Replication may promise zero loss; everything that is captured from time to time may not.
      if (rpoMs === 0 && policy.schedule.kind !== "continuous") {
        yield inPolicy(policy, ["objectives", "rpo"], {
          message: "an rpo of 0s is missed at every moment",
          hint: "write the loss the business accepts; it cannot be under the time between two pushes of the log",
        });
      }
      if (rtoMs === 0) {
        yield inPolicy(policy, ["objectives", "rto"], {
          message: "an rto of 0s is missed by every restore",
          hint: "write the longest a restore may take; drills measure it",
        });
      }
    }
  },
};
