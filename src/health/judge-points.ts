/** Conditions about the points and what can be restored from them, held against the objectives. */

import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Manifest } from "../catalogue/manifest.ts";
import { isScheduledByTool } from "../component.ts";
import type { Policy } from "../policy/model.ts";
import { auditLog } from "../recovery/audit.ts";
import { plainName } from "../recovery/lineage.ts";
import type { Condition } from "../state/health.ts";
import { parseCron, widestGapMs } from "../time/cron.ts";
import { formatDuration } from "../time/duration.ts";
import { condition } from "./conditions.ts";
import type { Judged } from "./judge.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** A capture takes a while: half a gap more than the schedule's widest. */
const patience = 1.5;
const averagedPoints = 7;
/** Uploads and the clocks of two machines differ by this. */
const slackMs = 60_000;
/** A piece that has not come when the next one is that old will not come by itself. */
const lateAfterMs = 15 * 60_000;

/** Missing and too small. A policy is not blamed for what it had no time to do yet. */
export function judgePoints({ policy, catalogue, jobs, nowMs }: Judged): readonly Condition[] {
  if (catalogue === undefined || policy.suspended) return [];
  // Backups that stay away are drift of the source there; that none is proved is told with the checklist.
  if (isScheduledByTool(policy.component, policy.capture.method)) return [];
  const found: Condition[] = [];
  const { name } = policy;
  const newestMs = catalogue.points.reduce(
    (most, p) => Math.max(most, Date.parse(p.manifest.consistentAt)),
    Number.NEGATIVE_INFINITY,
  );
  const limitMs = missingAfterMs(policy, nowMs);
  const next = `holdfast backup ${name}`;
  if (catalogue.points.length === 0) {
    // Only a job that is young explains it; without any job nobody is going to take one.
    const isYoung = jobs.length > 0 && jobs.every((j) => nowMs - Date.parse(j.since) <= limitMs);
    if (!isYoung) {
      found.push(condition(name, "backup-missing", "there is no recovery point at all", next));
    }
  } else if (nowMs - newestMs > limitMs) {
    const age = formatDuration(nowMs - newestMs);
    const message = `the newest recovery point is ${age} old; the schedule gives one at least every ${formatDuration(widestGap(policy, nowMs))}`;
    found.push(condition(name, "backup-missing", message, next));
  }
  return [...found, ...tooSmall(policy, catalogue.points)];
}

function tooSmall(policy: Policy, points: readonly PointSize[]): readonly Condition[] {
  const newest = points.at(-1);
  if (newest === undefined) return [];
  const { capture, sizeBytes, id, artifacts } = newest.manifest;
  const empty = artifacts.filter((a) => a.plainSizeBytes === 0).map((a) => a.name);
  if (empty.length > 0) {
    const message = `point ${id} holds nothing in ${empty.join(", ")}`;
    return [condition(policy.name, "backup-too-small", message, "look at the capture's log and its rights")];
  }
  const earlier = points
    .slice(0, -1)
    .filter((p) => p.manifest.capture === capture)
    .slice(-averagedPoints);
  // An increment holds what changed, which may be next to nothing.
  if (earlier.length === 0 || capture !== "full") return [];
  const average = earlier.reduce((sum, p) => sum + p.manifest.sizeBytes, 0) / earlier.length;
  const ratio = policy.verification.minimumSizeRatio;
  if (sizeBytes >= average * ratio) return [];
  const percent = Math.floor((sizeBytes / average) * 100);
  const message = `point ${id} has ${percent} % of the average size of the ${earlier.length} before it; at least ${Math.round(ratio * 100)} % are expected`;
  const hint = "compare its source with the one before; if the data really shrank it passes with time";
  return [condition(policy.name, "backup-too-small", message, hint)];
}

interface PointSize {
  readonly manifest: Pick<Manifest, "id" | "capture" | "sizeBytes" | "artifacts">;
}

/** Longest time between two captures the schedule allows; Infinity when it never fires. */
function widestGap({ schedule }: Policy, nowMs: number): number {
  if (schedule.kind === "continuous") return dayMs;
  if (schedule.kind === "change") return schedule.atLeastEveryMs;
  const cron = parseCron(schedule.cron);
  return "error" in cron ? dayMs : widestGapMs(cron, schedule.timeZone, nowMs, 400);
}

/** After how long without a point one is missing: a daily one after a day and what a capture may take. */
function missingAfterMs(policy: Policy, nowMs: number): number {
  const gapMs = widestGap(policy, nowMs);
  if (!Number.isFinite(gapMs)) return dayMs;
  const usualMs = gapMs * patience;
  // The alert table says 24 h of a daily schedule; an hour for the capture keeps it from crying at 02:01.
  const daily = gapMs <= dayMs + hourMs ? gapMs + Math.min(policy.deadlineMs, gapMs / 2, hourMs) : usualMs;
  return Math.min(usualMs, daily);
}

/** Exposure, restore time, reach and the PITR window against what the policy promises. */
export function judgeObjectives(judged: Judged): readonly Condition[] {
  const { policy, catalogue, exposureMs, measured, source, nowMs } = judged;
  if (catalogue === undefined || policy.suspended) return [];
  const { name, objectives } = policy;
  const found: Condition[] = [];
  // A source that writes nothing loses nothing, however old its last piece of log is.
  const isIdle = policy.log !== undefined && source?.log?.idle === true && !source.log.lost;
  if (catalogue.points.length > 0 && judged.ranges.length === 0) {
    const message = `none of the ${catalogue.points.length} recovery points can be restored: what they need is not in the store`;
    const hint = `holdfast backup ${name} now; holdfast verify ${name} --level 0 names what is missing`;
    found.push(condition(name, "rpo-missed", message, hint));
  } else if (exposureMs !== undefined && exposureMs > objectives.rpoMs + slackMs && !isIdle) {
    const message = `a disaster now would cost ${formatDuration(exposureMs)}; the policy allows ${formatDuration(objectives.rpoMs)}`;
    const hint = policy.log === undefined ? `holdfast backup ${name}` : `is holdfast wal ${name} running?`;
    found.push(condition(name, "rpo-missed", message, hint));
  } else if (measured.rpoSeconds !== undefined && measured.rpoSeconds * 1000 > objectives.rpoMs) {
    const message = `the last restore had lost ${formatDuration(measured.rpoSeconds * 1000)}; the policy allows ${formatDuration(objectives.rpoMs)}`;
    found.push(condition(name, "rpo-missed", message, `holdfast verify ${name} --level 5 measures it again`));
  }
  if (measured.rtoSeconds !== undefined && measured.rtoSeconds * 1000 > objectives.rtoMs) {
    const message = `the last restore took ${formatDuration(measured.rtoSeconds * 1000)}; the policy allows ${formatDuration(objectives.rtoMs)}`;
    found.push(condition(name, "rto-missed", message, "a nearer store, smaller chains or a longer rto"));
  }
  return [...found, ...judgeReach(judged), ...judgeWindow(judged, nowMs)];
}

/** In force since its first job or its oldest point, whichever was earlier. */
function inForceSinceMs({ jobs, catalogue }: Judged): number {
  const jobsMs = jobs.map((j) => Date.parse(j.since));
  return Math.min(oldestMsOf(catalogue), ...jobsMs);
}

function oldestMsOf(catalogue: Catalogue | undefined): number {
  return (catalogue?.points ?? []).reduce(
    (least, p) => Math.min(least, Date.parse(p.manifest.consistentAt)),
    Number.POSITIVE_INFINITY,
  );
}

function judgeReach(judged: Judged): readonly Condition[] {
  const { policy, catalogue, nowMs } = judged;
  const { reachMs } = policy.objectives;
  if (reachMs === "forever" || catalogue === undefined) return [];
  const oldestMs = oldestMsOf(catalogue);
  const ageMs = Number.isFinite(oldestMs) ? nowMs - oldestMs : 0;
  const inForceMs = nowMs - inForceSinceMs(judged);
  // A table counts days: its oldest point is up to a day younger while the present day is young.
  if (ageMs >= reachMs - dayMs || !(inForceMs >= reachMs + dayMs)) return [];
  const message = `the oldest recovery point is ${formatDuration(ageMs)} old; the policy promises ${formatDuration(reachMs)} and has been in force for ${formatDuration(inForceMs)}`;
  const hint = "points were deleted before their time or never taken; see the reports for when";
  return [condition(policy.name, "reach-missed", message, hint)];
}

/** A window that begins too late, holes inside it, and a lost piece behind the newest point. */
function judgeWindow(judged: Judged, nowMs: number): readonly Condition[] {
  const { policy, catalogue, ranges } = judged;
  const { name, objectives } = policy;
  if (policy.log === undefined || objectives.pitrWindowMs === 0) return [];
  const fromMs = nowMs - objectives.pitrWindowMs;
  const found: Condition[] = [];
  const first = ranges[0];
  // The window can begin only with a point, and the first came up to one gap after the policy.
  if (
    first !== undefined &&
    Date.parse(first.fromAt) > fromMs &&
    inForceSinceMs(judged) + missingAfterMs(policy, nowMs) <= fromMs
  ) {
    const message = `no instant before ${first.fromAt} can be restored; the policy promises ${formatDuration(objectives.pitrWindowMs)} and has been in force for ${formatDuration(nowMs - inForceSinceMs(judged))}`;
    const hint = "log was deleted before its time or never stored; is there a lifecycle rule on the bucket?";
    found.push(condition(name, "pitr-gap", message, hint));
  }
  for (const [index, range] of ranges.entries()) {
    const next = ranges[index + 1];
    // Behind the last range comes what the rpo is about; before the first the policy was young.
    if (next === undefined || Date.parse(next.fromAt) <= fromMs) continue;
    const message = `no instant between ${range.toAt} and ${next.fromAt} can be restored: the log has a hole there`;
    const leaves = formatDuration(Date.parse(next.fromAt) - fromMs);
    const hint = `it leaves the window in ${leaves}; holdfast restore ${name} --at names the missing segments`;
    found.push(condition(name, "pitr-gap", message, hint));
  }
  const need = catalogue?.points.at(-1)?.manifest.log;
  if (catalogue?.log === undefined || need === undefined) return found;
  const { gaps } = auditLog({
    archive: catalogue.log,
    nameOf: plainName,
    from: { branch: need.branch, sequence: need.firstSequence },
    nowMs,
    lateAfterMs,
  });
  const lost = gaps.find((g) => g.kind === "lost");
  if (lost !== undefined) {
    const count = lost.lastSequence - lost.firstSequence + 1;
    const message = `${count} log segments behind the newest point are lost, from ${lost.firstName} on: nothing after them can be restored`;
    found.push(condition(name, "pitr-gap", message, `holdfast backup ${name} starts a new run of log`));
  }
  return found;
}
