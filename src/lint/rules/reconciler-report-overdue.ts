/** A report counts as overdue before the next is due. */
import { formatDuration } from "../../time/duration.ts";
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";
import { cronGapMs } from "../schedules.ts";

export const reconcilerReportOverdue: Rule = {
  id: "reconciler/report-overdue",
  severity: "warning",
  title: "a report counts as overdue before the next is due",
  *check({ set, nowMs }) {
    if (set.reconciler !== undefined) {
      const { cron, timeZone, overdueMs } = set.reconciler.reports;
      const gapMs = cronGapMs(cron, timeZone, nowMs);
      if (gapMs !== Number.POSITIVE_INFINITY && overdueMs <= gapMs) {
        yield inSpec("Reconciler", set.reconciler.name, ["reports", "overdue"], {
          message: `reports come up to ${formatDuration(gapMs)} apart and are overdue after ${formatDuration(overdueMs)}`,
          hint: "the alarm rings every time until nobody listens; make it longer than the gap",
        });
      }
    }
  },
};
