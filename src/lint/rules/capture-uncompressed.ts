/** Bytes are stored as they come. */
import { inPolicy, isCarriedByTool } from "../places.ts";
import type { Rule } from "../rule.ts";

export const captureUncompressed: Rule = {
  id: "capture/uncompressed",
  severity: "info",
  title: "bytes are stored as they come",
  *check({ set }) {
    for (const policy of set.policies) {
      if (policy.capture.codec !== "none" || isCarriedByTool(policy)) continue;
      yield inPolicy(policy, ["capture", "compression"], {
        message: `the captures of '${policy.name}' are not compressed`,
        hint: "most dumps shrink to a third; zstd costs little",
      });
    }
  },
};
