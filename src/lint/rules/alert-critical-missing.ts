/** Nobody is told about a condition that loses data. */

import { criticalConditions } from "../conditions.ts";
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertCriticalMissing: Rule = {
  id: "alert/critical-missing",
  severity: "error",
  title: "nobody is told about a condition that loses data",
  *check({ set }) {
    if (set.alerts.length > 0) {
      const watched = new Set(set.alerts.map((alert) => alert.when));
      const missing = criticalConditions.filter((when) => !watched.has(when));
      if (missing.length > 0) {
        yield inList("AlertTable", ["alerts"], {
          atKey: true,
          message: `no alert for ${missing.map((when) => `'${when}'`).join(", ")}`,
          hint: "these are the conditions under which data is lost; add an alert for each",
        });
      }
    }
  },
};
