/** Points are kept for ever though the reach ends. */
import { formatDuration } from "../../time/duration.ts";
import { inPolicy } from "../places.ts";
import type { Rule } from "../rule.ts";

export const retentionForeverFinite: Rule = {
  id: "retention/forever-finite",
  severity: "info",
  title: "points are kept for ever though the reach ends",
  *check({ set }) {
    for (const policy of set.policies) {
      if (!policy.retention.keep.forever || policy.objectives.reachMs === "forever") continue;
      yield inPolicy(policy, ["retention"], {
        message: `the row '${policy.retention.name}' keeps everything, the reach is ${formatDuration(policy.objectives.reachMs)}`,
        hint: "nothing is ever deleted and the bucket only grows; promise forever or let points expire",
      });
    }
  },
};
