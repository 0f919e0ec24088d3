/**
 * Proof by simulation that a keep table holds a reach. Judged for 400 days when the oldest point is youngest: after
 * each day's last capture, and where a point ends that `days` has held. The history begins before the reach does;
 * results are shared by all policies with the same table and cron.
 */
import type { KeepTable } from "../policy/model.ts";
import { type Cron, occurrences, widestGapMs } from "../time/cron.ts";

const dayMs = 86_400_000;
const judgedDays = 400;
/** Bounds the work for a cron that fires every minute. */
const maxFirings = 300_000;

export interface KeepProof {
  readonly holds: boolean;
  /** Least age the oldest kept point had whenever it was judged. */
  readonly oldestAgeDays: number;
  /** One sentence for a message. */
  readonly detail: string;
}

const known = new Map<string, KeepProof>();

/** Whether the oldest kept point is at least `reachMs` old whenever it is judged. The cron must fire. */
export function proveKeep(
  cron: Cron,
  timeZone: string,
  keep: KeepTable,
  reachMs: number,
  nowMs: number,
): KeepProof {
  const lines = Object.entries(keep).sort().join(" ");
  const firstDay = Math.floor(nowMs / dayMs);
  const key = `${cron.text}|${timeZone}|${lines}|${reachMs}|${firstDay}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size > 5000) known.clear();
  const proof = simulate(cron, timeZone, keep, reachMs, firstDay * dayMs);
  known.set(key, proof);
  return proof;
}

/** One line of the table: which bucket an instant falls in, and how many buckets are kept. */
interface Line {
  readonly count: number;
  readonly bucketOf: (atMs: number) => number;
  /** Newest firing of every finished bucket, oldest first. */
  readonly newest: number[];
  bucket: number;
}

function simulate(cron: Cron, timeZone: string, keep: KeepTable, reachMs: number, nowMs: number): KeepProof {
  // One gap more, so that a point older than the reach is in it.
  const startMs = nowMs - reachMs - widestGapMs(cron, timeZone, nowMs, judgedDays) - 2 * dayMs;
  const firings = occurrences(cron, timeZone, startMs, nowMs + judgedDays * dayMs, maxFirings);
  const lines = linesOf(keep);
  const ageMs = (keep.days ?? 0) * dayMs;
  let least = Number.POSITIVE_INFINITY;
  let leastAtMs = 0;
  let byAge = 0;
  const judge = (whenMs: number, oldestMs: number): void => {
    if (whenMs < nowMs || whenMs - oldestMs >= least) return;
    least = whenMs - oldestMs;
    leastAtMs = whenMs;
  };
  for (const [i, atMs] of firings.entries()) {
    for (const line of lines) advance(line, firings[i - 1], atMs);
    const byLines = lines.reduce((oldest, line) => Math.min(oldest, oldestOf(line, atMs)), atMs);
    const oldestByAge = firings[byAge] as number;
    // What is just as old as asked goes with the next prune.
    while (byAge < i && (firings[byAge] as number) <= atMs - ageMs) byAge += 1;
    const isEnd = ageMs > 0 && (firings[byAge] as number) > oldestByAge && oldestByAge < byLines;
    const next = firings[i + 1];
    const isLastOfDay = next === undefined || Math.floor(next / dayMs) !== Math.floor(atMs / dayMs);
    if (isLastOfDay || isEnd)
      judge(atMs, ageMs === 0 ? byLines : Math.min(byLines, firings[byAge] as number));
    // Until the next capture points end that their age alone has held.
    for (; ageMs > 0 && byAge <= i && (firings[byAge] as number) + ageMs < (next ?? 0); byAge += 1) {
      if ((firings[byAge] as number) > byLines) continue;
      const endMs = (firings[byAge] as number) + ageMs;
      const left = byAge < i ? Math.min(byLines, firings[byAge + 1] as number) : byLines;
      judge(endMs, lines.length === 0 && byAge === i ? endMs : left);
    }
  }
  const days = Math.floor(least / dayMs);
  return {
    holds: least >= reachMs,
    oldestAgeDays: days,
    detail: `on ${new Date(leastAtMs).toISOString().slice(0, 10)} the oldest point kept is ${days} days old`,
  };
}

function linesOf(keep: KeepTable): readonly Line[] {
  const line = (count: number | undefined, bucketOf: Line["bucketOf"]): readonly Line[] =>
    count === undefined ? [] : [{ count, bucketOf, newest: [], bucket: Number.NaN }];
  let serial = 0;
  return [
    ...line(keep.last, () => serial++),
    ...line(keep.hourly, (atMs) => Math.floor(atMs / 3_600_000)),
    ...line(keep.daily, (atMs) => Math.floor(atMs / dayMs)),
    // Day 0 was a Thursday; ISO weeks begin on Monday.
    ...line(keep.weekly, (atMs) => Math.floor((Math.floor(atMs / dayMs) + 3) / 7)),
    ...line(keep.monthly, (atMs) => new Date(atMs).getUTCFullYear() * 12 + new Date(atMs).getUTCMonth()),
    ...line(keep.yearly, (atMs) => new Date(atMs).getUTCFullYear()),
  ];
}

function advance(line: Line, previousMs: number | undefined, atMs: number): void {
  const bucket = line.bucketOf(atMs);
  if (bucket === line.bucket) return;
  line.bucket = bucket;
  if (previousMs !== undefined) line.newest.push(previousMs);
}

/** The oldest point the line keeps; with fewer buckets than it may keep everything stays. */
function oldestOf(line: Line, atMs: number): number {
  if (line.count === 1) return atMs;
  return line.newest[line.newest.length - (line.count - 1)] ?? Number.NEGATIVE_INFINITY;
}
