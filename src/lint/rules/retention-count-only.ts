/** Points are kept by count and not by age. */
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const retentionCountOnly: Rule = {
  id: "retention/count-only",
  severity: "warning",
  title: "points are kept by count and not by age",
  *check({ set }) {
    for (const row of set.retention) {
      const lines = Object.keys(row.keep);
      if (lines.length !== 1 || row.keep.last === undefined) continue;
      yield inList("RetentionTable", ["rows", row.name, "keep", "last"], {
        message: `the row '${row.name}' keeps the last ${row.keep.last} points whatever their age`,
        hint: "a few runs by hand push out everything older; add daily or days",
      });
    }
  },
};
