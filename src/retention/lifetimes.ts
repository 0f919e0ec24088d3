/**
 * How long a keep table holds each point, without walking the days: a place is lost when a newer good point
 * takes it or when enough newer places are filled, so each point's last day follows from who comes after it.
 * The answer is the one that `decide` gives when it is asked at the end of every day.
 */
import type { KeepTable } from "../policy/model.ts";
import { bucketOf, type CountedLine, countedLines, dayMs, wallOf } from "./calendar.ts";
import type { RetentionPoint } from "./decide.ts";

/** Stands for "not within the days asked for". */
export const never = 2 ** 30;

export interface LifetimeInput {
  /** Oldest first; of one instant by id. */
  readonly points: readonly RetentionPoint[];
  /** The day on which each point is there first; 0 for those that are stored. */
  readonly arrivals: Int32Array;
  readonly keep: KeepTable;
  readonly timeZone: string;
  /** The decision of day 0 is taken at this instant, that of day n so many days later. */
  readonly firstDecisionMs: number;
}

/** Per point the first day at whose end the table lets it go, or `never`. What a kept one needs stays with it. */
export function lifetimes(input: LifetimeInput): Int32Array {
  const { points, arrivals, keep } = input;
  const gone = new Int32Array(points.length);
  if (keep.forever) return gone.fill(never);
  gone.set(arrivals);
  if (keep.days !== undefined) ageLine(input, keep.days, gone);
  const counted = countedLines.filter((line) => (keep[line] ?? 0) > 0);
  const walls = new Float64Array(points.length);
  if (counted.some((line) => line !== "last")) {
    for (const [i, point] of points.entries()) walls[i] = wallOf(input.timeZone, point.atMs);
  }
  const late = counted.flatMap((line) => countedLine(input, line, keep[line] ?? 0, walls, gone));
  settle(points, late, gone);
  return gone;
}

/** A place that a failed point gets only from some day on; worth something where another line holds it till then. */
interface LatePlace {
  readonly index: number;
  readonly from: number;
  readonly until: number;
}

function settle(points: readonly RetentionPoint[], late: readonly LatePlace[], gone: Int32Array): void {
  extendParents(points, gone);
  for (let changed = late.length > 0; changed; ) {
    changed = false;
    for (const { index, from, until } of late) {
      const day = gone[index] ?? 0;
      if (day < from || day >= until) continue;
      gone[index] = until;
      changed = true;
    }
    if (changed) extendParents(points, gone);
  }
}

function ageLine({ points, firstDecisionMs }: LifetimeInput, days: number, gone: Int32Array): void {
  for (const [i, { atMs }] of points.entries()) {
    // Kept while at >= decision - days, so gone on the first day that is later than that.
    const day = Math.max(0, Math.floor((atMs + days * dayMs - firstDecisionMs) / dayMs) + 1);
    if (day > (gone[i] ?? 0)) gone[i] = Math.min(day, never);
  }
}

/**
 * One line of the table, newest bucket first. A good point holds its place until the next good one of the same
 * bucket comes, or until `count` later buckets have a good one; a failed one holds a place that has no good one.
 */
function countedLine(
  { points, arrivals }: LifetimeInput,
  line: CountedLine,
  count: number,
  walls: Float64Array,
  gone: Int32Array,
): readonly LatePlace[] {
  const bucketAt = (i: number): number => (line === "last" ? i : bucketOf(line, walls[i] ?? 0));
  const late: LatePlace[] = [];
  /** First day on which each later bucket has a good point; the nearest bucket last, so days fall. */
  const filled: number[] = [];
  /** Later buckets with failed points only, and the day on which the newest of them gets a good one. */
  let failedBuckets = 0;
  let failedUntil = never;
  for (let last = points.length - 1; last >= 0; ) {
    const bucket = bucketAt(last);
    let first = last;
    while (first > 0 && bucketAt(first - 1) === bucket) first -= 1;
    const pushedOut = filled.length >= count ? (filled[filled.length - count] ?? never) : never;
    let firstGood = never;
    let newestFailed = -1;
    for (let i = last; i >= first; i -= 1) {
      if (points[i]?.good === true) {
        extend(gone, i, Math.min(firstGood, pushedOut));
        firstGood = Math.min(firstGood, arrivals[i] ?? 0);
      } else if (newestFailed < 0) newestFailed = i;
    }
    // Failed points are stored ones, there from day 0, so only the bucket of the newest can get a good one later.
    if (newestFailed >= 0 && firstGood > 0) {
      const until = Math.min(firstGood, pushedOut);
      if (failedBuckets < count) extend(gone, newestFailed, until);
      else if (failedBuckets === count && failedUntil < until) {
        late.push({ index: newestFailed, from: failedUntil, until });
      }
      failedBuckets += 1;
      failedUntil = Math.min(failedUntil, firstGood);
    }
    if (firstGood < never) filled.push(firstGood);
    last = first - 1;
  }
  return late;
}

function extend(gone: Int32Array, index: number, day: number): void {
  if (day > (gone[index] ?? 0)) gone[index] = day;
}

/** Raises each needed point to the last day of what needs it, however far up the chain. */
export function extendParents(points: readonly RetentionPoint[], gone: Int32Array): void {
  const waiting: number[] = [];
  for (const [i, point] of points.entries()) if (point.parents.length > 0) waiting.push(i);
  if (waiting.length === 0) return;
  const byId = new Map(points.map((p, i) => [p.id, i]));
  for (let i = waiting.pop(); i !== undefined; i = waiting.pop()) {
    for (const parent of points[i]?.parents ?? []) {
      const index = byId.get(parent);
      if (index === undefined || (gone[index] ?? 0) >= (gone[i] ?? 0)) continue;
      gone[index] = gone[i] ?? 0;
      waiting.push(index);
    }
  }
}
