/** A retention row nobody uses. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const retentionRowUnused: Rule = {
  id: "retention/row-unused",
  severity: "warning",
  title: "a retention row nobody uses",
  *check({ set }) {
    const used = new Set(
      set.policies.flatMap((p) => [p.retention.name, ...(p.log === undefined ? [] : [p.log.retention.name])]),
    );
    for (const row of set.retention) {
      if (set.policies.length === 0 || used.has(row.name)) continue;
      yield inList("RetentionTable", ["rows", row.name, "name"], {
        message: `no policy uses the row '${row.name}'`,
        hint: "most often a policy names another row by mistake; use it or remove it",
      });
    }
  },
};
