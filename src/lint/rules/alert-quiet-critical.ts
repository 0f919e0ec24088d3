/** A condition that loses data is reported as a remark. */

import { criticalConditions } from "../conditions.ts";
import { inList } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertQuietCritical: Rule = {
  id: "alert/quiet-critical",
  severity: "warning",
  title: "a condition that loses data is reported as a remark",
  *check({ set }) {
    for (const alert of set.alerts) {
      if (alert.severity !== "info" || !criticalConditions.includes(alert.when)) continue;
      yield inList("AlertTable", ["alerts", alert.name, "severity"], {
        message: `'${alert.when}' is only of severity info`,
        hint: "remarks are read when it is too late; make it critical or a warning",
      });
    }
  },
};
