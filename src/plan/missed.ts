/** Cron slots that went by without a run, because the process was down or a run was lost before it began. */
import { type Instant, instant } from "../catalogue/instant.ts";
import type { ActualJob, Job } from "../state/job.ts";
import { lastAtOrBefore, nextAfter, parseCron } from "../time/cron.ts";

/** A slot is the scheduler's own for this long. */
const leewayMs = 60_000;
/** More are not counted one by one. */
const countLimit = 1000;

export interface MissedRun {
  readonly slotAt: Instant;
  readonly reason: string;
}

/** The newest missed slot since the platform holds the job and since its last run; undefined when none is missed. */
export function missedRun(job: Job, held: ActualJob, nowMs: number): MissedRun | undefined {
  if (job.schedule.kind !== "cron" || held.running) return undefined;
  const cron = parseCron(job.schedule.cron);
  if ("error" in cron) return undefined;
  const { timeZone } = job.schedule;
  const newestMs = lastAtOrBefore(cron, timeZone, nowMs - leewayMs);
  const lastRunMs = held.runs.reduce(
    (most, r) => Math.max(most, Date.parse(r.slotAt)),
    Number.NEGATIVE_INFINITY,
  );
  const sinceMs = Math.max(Date.parse(held.since), lastRunMs);
  // A run's own slot is not missed; one at the very instant the job came may be.
  if (newestMs === undefined || !(newestMs > sinceMs)) return undefined;
  let count = 0;
  let at = nextAfter(cron, timeZone, sinceMs);
  while (at !== undefined && at <= newestMs && count < countLimit) {
    count += 1;
    at = nextAfter(cron, timeZone, at);
  }
  const missed = count === 1 ? "its slot" : `${count < countLimit ? count : `${countLimit} or more`} slots`;
  const until = count === 1 ? `of ${instant(newestMs)}` : `up to ${instant(newestMs)}`;
  return {
    slotAt: instant(newestMs),
    reason: `${missed} ${until} went by without a run; the newest is made up for`,
  };
}
