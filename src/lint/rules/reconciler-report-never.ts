/** No report is ever written. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";
import { neverFires } from "../schedules.ts";

export const reconcilerReportNever: Rule = {
  id: "reconciler/report-never",
  severity: "error",
  title: "no report is ever written",
  *check({ set, nowMs }) {
    if (set.reconciler !== undefined) {
      const { cron, timeZone } = set.reconciler.reports;
      if (neverFires(cron, timeZone, nowMs)) {
        yield inSpec("Reconciler", set.reconciler.name, ["reports", "cron"], {
          message: `'${cron}' names a day that does not exist`,
          hint: "the proof never reaches git; write a day that every such month has",
        });
      }
    }
  },
};
