/** How a policy's captures run, as the platform tells it. */
import { instant } from "../catalogue/instant.ts";
import type { CaptureRuns } from "../state/health.ts";
import type { ActualJob } from "../state/job.ts";
import { nextAfter, parseCron } from "../time/cron.ts";

/** Of jobs of one policy; undefined where none of them captures. */
export function captureRuns(jobs: readonly ActualJob[], nowMs: number): CaptureRuns | undefined {
  const captures = jobs.filter(({ job }) => job.kind === "capture");
  if (captures.length === 0) return undefined;
  const [last] = captures.flatMap((c) => c.runs).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  const nextMs = Math.min(...captures.map((c) => nextMsOf(c, nowMs)));
  return {
    running: captures.some((c) => c.running),
    ...(last === undefined ? {} : { last: { at: last.startedAt, outcome: last.outcome } }),
    ...(Number.isFinite(nextMs) ? { nextAt: instant(nextMs) } : {}),
  };
}

function nextMsOf({ job }: ActualJob, nowMs: number): number {
  if (job.schedule.kind !== "cron" || job.suspended) return Number.POSITIVE_INFINITY;
  const cron = parseCron(job.schedule.cron);
  if ("error" in cron) return Number.POSITIVE_INFINITY;
  return nextAfter(cron, job.schedule.timeZone, nowMs) ?? Number.POSITIVE_INFINITY;
}
