/** A level the codec does not have. */
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const captureLevelRange: Rule = {
  id: "capture/level-range",
  severity: "error",
  title: "a level the codec does not have",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.capture.codec !== "gzip" || policy.capture.level <= 9) continue;
      yield inPolicy(policy, ["capture", "level"], {
        message: `gzip has levels 0 to 9, not ${policy.capture.level}`,
        hint: "every capture would fail; take 6, or zstd",
      });
    }
  },
};
