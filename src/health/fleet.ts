/** What holds for the reconciler itself and not for one policy: its reports come, or their absence is told. */
import type { ReconcilerSettings } from "../policy/model.ts";
import type { Condition } from "../state/health.ts";
import { formatDuration } from "../time/duration.ts";
import { condition } from "./conditions.ts";

export interface ReportsInput {
  /** When the last report was published; undefined for never. */
  readonly lastPublishedAtMs?: number;
  readonly settings: ReconcilerSettings;
  /** Since when this reconciler runs; before the first report is due nothing is overdue. */
  readonly sinceMs: number;
  readonly nowMs: number;
}

/** `report-overdue` or nothing. */
export function judgeReports(input: ReportsInput): readonly Condition[] {
  const { lastPublishedAtMs, settings, sinceMs, nowMs } = input;
  const ageMs = nowMs - (lastPublishedAtMs ?? sinceMs);
  if (ageMs <= settings.reports.overdueMs) return [];
  const last =
    lastPublishedAtMs === undefined
      ? `no report has been published in the ${formatDuration(ageMs)} since ${new Date(sinceMs).toISOString()}`
      : `the last report is ${formatDuration(ageMs)} old`;
  const message = `${last}; one is overdue after ${formatDuration(settings.reports.overdueMs)}`;
  return [
    condition(settings.name, "report-overdue", message, "holdfast report --commit says what is in its way"),
  ];
}
