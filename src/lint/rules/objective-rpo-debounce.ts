/** The quiet time before a capture is longer than the data loss allowed. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const objectiveRpoDebounce: Rule = {
  id: "objective/rpo-debounce",
  severity: "error",
  title: "the quiet time before a capture is longer than the data loss allowed",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.schedule.kind !== "change" || policy.schedule.debounceMs <= policy.objectives.rpoMs)
        continue;
      yield inPolicy(policy, ["schedule", "onChange", "debounce"], {
        message: `a change waits ${formatDuration(policy.schedule.debounceMs)} before it is captured, the policy allows ${formatDuration(policy.objectives.rpoMs)} of data loss`,
        hint: "a change is unprotected while it waits; shorten the wait or allow more loss",
      });
    }
  },
};
