/**
 * Proof by simulation that a keep table holds what a policy promises. The policy is run day by day until its
 * table has settled, then judged for 400 days when the oldest point is youngest: just after each day's last
 * capture, and just after the end of a point that `days` has held. Results are shared by all that ask the same.
 */
import { instant } from "../catalogue/instant.ts";
import type { KeepTable } from "../policy/model.ts";
import { type Cron, nextAfter, parseCron, widestGapMs } from "../time/cron.ts";
import { formatDuration } from "../time/duration.ts";
import { dayMs, describeKeep, longestAgeMs } from "./calendar.ts";
import { decide, type RetentionPoint } from "./decide.ts";

const judgedDays = 400;
/** Bounds the work for a cron that fires every minute. */
const maxFirings = 1_500_000;

export interface ReachProof {
  readonly holds: boolean;
  /** Least age the oldest kept point had on any judged day. */
  readonly oldestAgeDays: number;
  /** UTC day on which the promise is broken first. */
  readonly firstBadDay?: string;
  /** One sentence for a message. */
  readonly detail: string;
}

export interface ReachQuestion {
  readonly cron: string;
  readonly timeZone: string;
  readonly keep: KeepTable;
  readonly reachMs: number | "forever";
  readonly nowMs: number;
}

export interface PitrQuestion extends Omit<ReachQuestion, "reachMs"> {
  readonly logKeep: KeepTable;
  readonly pitrWindowMs: number;
}

const known = new Map<string, ReachProof>();

/**
 * Whether on every judged day the oldest kept point is at least `reachMs` old; then each day inside the reach
 * has a point at or before it, namely that one.
 */
export function proveReach(question: ReachQuestion): ReachProof {
  const { cron, timeZone, keep, reachMs } = question;
  const lines = Object.entries(keep).sort().join(" ");
  const firstDay = Math.floor(question.nowMs / dayMs);
  const key = `${cron}|${timeZone}|${lines}|${reachMs}|${firstDay}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const proof = prove({ ...question, nowMs: firstDay * dayMs });
  if (known.size > 5000) known.clear();
  known.set(key, proof);
  return proof;
}

/** Whether at each moment a kept point lies at or before the window's start and the log is kept from it on. */
export function provePitr(question: PitrQuestion): ReachProof {
  const { pitrWindowMs, logKeep } = question;
  const points = proveReach({ ...question, reachMs: pitrWindowMs });
  if (!points.holds) return points;
  const logMs = longestAgeMs(logKeep);
  if (logMs >= pitrWindowMs) {
    return { ...points, detail: `${points.detail}; the log is kept for ${formatDuration(logMs)}` };
  }
  return {
    holds: false,
    oldestAgeDays: Math.floor(logMs / dayMs),
    firstBadDay: new Date(question.nowMs + logMs).toISOString().slice(0, 10),
    detail: `the log is kept for ${formatDuration(logMs)}, the window is ${formatDuration(pitrWindowMs)}`,
  };
}

function prove(question: ReachQuestion): ReachProof {
  const { keep, reachMs, timeZone, nowMs } = question;
  const cron = parseCron(question.cron);
  const today = new Date(nowMs).toISOString().slice(0, 10);
  if ("error" in cron) {
    return { holds: false, oldestAgeDays: 0, firstBadDay: today, detail: `the cron is wrong: ${cron.error}` };
  }
  if (nextAfter(cron, timeZone, nowMs) === undefined) {
    return { holds: false, oldestAgeDays: 0, firstBadDay: today, detail: "the cron never fires" };
  }
  if (keep.forever) {
    const days = reachMs === "forever" ? Number.POSITIVE_INFINITY : Math.ceil(reachMs / dayMs);
    return { holds: true, oldestAgeDays: days, detail: "nothing expires" };
  }
  if (reachMs === "forever") {
    const detail = `'${describeKeep(keep)}' lets points go, the reach is forever`;
    return { holds: false, oldestAgeDays: 0, firstBadDay: today, detail };
  }
  return simulateDays(cron, question, reachMs);
}

function simulateDays(cron: Cron, question: ReachQuestion, reachMs: number): ReachProof {
  const { keep, timeZone, nowMs } = question;
  let kept: readonly RetentionPoint[] = [];
  let least = Number.POSITIVE_INFINITY;
  let leastAtMs = nowMs;
  let firstBadDay: string | undefined;
  let firings = 0;
  let today: RetentionPoint[] = [];
  let lookedMs = Number.NEGATIVE_INFINITY;
  const look = (whenMs: number, oldestMs: number | undefined): void => {
    const ageMs = whenMs - (oldestMs ?? whenMs);
    if (whenMs < nowMs) return;
    if (ageMs < least) {
      least = ageMs;
      leastAtMs = whenMs;
    }
    if (ageMs < reachMs) firstBadDay ??= new Date(whenMs).toISOString().slice(0, 10);
  };
  const endMs = nowMs + judgedDays * dayMs;
  const settledMs =
    reachMs + longestPlaceMs(keep) + widestGapMs(cron, timeZone, nowMs, judgedDays) + 2 * dayMs;
  let atMs = nextAfter(cron, timeZone, nowMs - settledMs);
  while (atMs !== undefined && atMs < endMs && firings < maxFirings) {
    firings += 1;
    today.push({ id: String(atMs), atMs, good: true, parents: [] });
    const next = nextAfter(cron, timeZone, atMs);
    const isLastOfDay = next === undefined || Math.floor(next / dayMs) !== Math.floor(atMs / dayMs);
    if (isLastOfDay) {
      // One instant later: what `days` holds at the capture itself it lets go with the next prune.
      const before = [...kept, ...today];
      kept = survivors(before, keep, timeZone, atMs + 1);
      today = [];
      const endedMs = lowestBetween(before, kept[0]?.atMs ?? atMs, keep, lookedMs, atMs);
      if (endedMs !== undefined) {
        const there = before.filter((p) => p.atMs <= endedMs);
        look(endedMs, survivors(there, keep, timeZone, endedMs)[0]?.atMs);
      }
      look(atMs, kept[0]?.atMs);
      lookedMs = atMs;
    }
    atMs = next;
  }
  if (firings >= maxFirings && atMs !== undefined) {
    const detail = `'${cron.text}' fires too often to be followed for ${formatDuration(settledMs)}`;
    return { holds: false, oldestAgeDays: 0, firstBadDay: instant(nowMs).slice(0, 10), detail };
  }
  const days = Math.floor(Math.min(least, reachMs + endMs - nowMs) / dayMs);
  const on = new Date(leastAtMs).toISOString().slice(0, 10);
  return {
    holds: firstBadDay === undefined,
    oldestAgeDays: days,
    ...(firstBadDay === undefined ? {} : { firstBadDay }),
    detail: `on ${on} the oldest point kept is ${days} days old`,
  };
}

/**
 * Between two captures points end that `days` alone has held, each on its own. The instant behind the end that
 * leaves the youngest as the oldest, which is the one before the widest gap; undefined where none has ended.
 */
function lowestBetween(
  points: readonly RetentionPoint[],
  oldestMs: number,
  { days }: KeepTable,
  fromMs: number,
  toMs: number,
): number | undefined {
  if (days === undefined) return undefined;
  let widestMs = -1;
  let foundMs: number | undefined;
  for (const [index, { atMs }] of points.entries()) {
    if (atMs >= oldestMs) break;
    const endMs = atMs + days * dayMs;
    const gapMs = (points[index + 1]?.atMs ?? endMs) - atMs;
    if (endMs <= fromMs || endMs >= toMs || gapMs <= widestMs) continue;
    widestMs = gapMs;
    foundMs = endMs + 1;
  }
  return foundMs;
}

/**
 * The longest place the table speaks of. A history that is longer than the reach by one place and one gap
 * shows no line younger than it will be: one that is not full yet begins in the history's first place.
 */
function longestPlaceMs(keep: KeepTable): number {
  if (keep.yearly !== undefined) return 366 * dayMs;
  if (keep.monthly !== undefined) return 31 * dayMs;
  return keep.weekly === undefined ? dayMs : 7 * dayMs;
}

/** What the table leaves, oldest first. What it lets go once it never wants back, so the rest can be forgotten. */
function survivors(
  points: readonly RetentionPoint[],
  keep: KeepTable,
  timeZone: string,
  nowMs: number,
): readonly RetentionPoint[] {
  const decisions = decide({ points, keep, timeZone, nowMs });
  return points.filter((_, index) => decisions[index]?.keep === true);
}
