/** What a schedule and the days its backups are kept can promise; the lint rules hold for it. */

import { proveKeep } from "../lint/keep-proof.ts";
import { cronGapMs, dayMs } from "../lint/schedules.ts";
import { parseCron } from "../time/cron.ts";
import { formatDuration } from "../time/duration.ts";
import type { ZonedCron } from "../time/zoned-cron.ts";

const hourMs = 3_600_000;
const usualDeadlineMs = 6 * hourMs;
/** Proposed: nobody can read it off a cluster. */
const rto = "4h";

export interface Promises {
  readonly objectives: { readonly rpo: string; readonly rto: string; readonly reach: string };
  /** Days of the keep row: those asked for, or as many as the schedule's gaps need. */
  readonly days: number;
  /** Only where the usual one is longer than the schedule's gaps. */
  readonly deadline?: string;
}

/** Undefined for a schedule that never fires. */
export function promisesOf(
  { cron, timeZone }: ZonedCron,
  keptDays: number,
  nowMs: number,
): Promises | undefined {
  const parsed = parseCron(cron);
  const gapMs = cronGapMs(cron, timeZone, nowMs);
  if ("error" in parsed || !Number.isFinite(gapMs)) return undefined;
  const gapDays = Math.ceil(gapMs / dayMs);
  const days = Math.max(keptDays, gapDays + 1);
  let reachDays = days - gapDays;
  while (reachDays > 0 && !proveKeep(parsed, timeZone, { days }, reachDays * dayMs, nowMs).holds)
    reachDays -= 1;
  return {
    objectives: {
      rpo: formatDuration(gapMs + 2 * hourMs),
      rto,
      reach: reachDays === 0 ? "0s" : `${reachDays}d`,
    },
    days,
    ...(gapMs >= usualDeadlineMs ? {} : { deadline: formatDuration(gapMs) }),
  };
}
