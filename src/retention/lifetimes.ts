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
  /** Per point the first day on which it may go whatever the table says: holds and locks. */
  readonly atLeast?: Int32Array;
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
  const late = counted.map((line) => countedLine(input, line, keep[line] ?? 0, walls, gone));
  for (const [i, day] of (input.atLeast ?? []).entries()) extend(gone, i, day);
  settle(points, late, gone);
  return gone;
}

/**
 * A line's place that becomes free for a failed point on one day, because the newest bucket with failed points
 * only gets a good one. It goes to the newest candidate that something else has kept until then.
 */
interface LatePlace {
  readonly from: number;
  /** Newest first, and no longer than until the day given. */
  readonly candidates: readonly { readonly index: number; readonly until: number }[];
}

/** Day by day, since who is still there on one day hangs on the places given before it. */
function settle(points: readonly RetentionPoint[], late: readonly LatePlace[], gone: Int32Array): void {
  extendParents(points, gone);
  for (const { from, candidates } of late.toSorted((a, b) => a.from - b.from)) {
    const heir = candidates.find(({ index }) => (gone[index] ?? 0) >= from);
    if (heir === undefined || (gone[heir.index] ?? 0) >= heir.until) continue;
    gone[heir.index] = heir.until;
    extendParents(points, gone);
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
): LatePlace {
  const bucketAt = (i: number): number => (line === "last" ? i : bucketOf(line, walls[i] ?? 0));
  const candidates: { index: number; until: number }[] = [];
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
    const failed: number[] = [];
    for (let i = last; i >= first; i -= 1) {
      if (points[i]?.good === true) {
        extend(gone, i, Math.min(firstGood, pushedOut));
        firstGood = Math.min(firstGood, arrivals[i] ?? 0);
      } else failed.push(i);
    }
    // Failed points are stored ones, there from day 0, so only the bucket of the newest can get a good one later.
    const [newestFailed] = failed;
    if (newestFailed !== undefined && firstGood > 0) {
      const until = Math.min(firstGood, pushedOut);
      if (failedBuckets < count) extend(gone, newestFailed, until);
      else if (failedUntil < until) candidates.push(...failed.map((index) => ({ index, until })));
      failedBuckets += 1;
      failedUntil = Math.min(failedUntil, firstGood);
    }
    if (firstGood < never) filled.push(firstGood);
    last = first - 1;
  }
  return { from: failedUntil, candidates };
}

function extend(gone: Int32Array, index: number, day: number): void {
  if (day > (gone[index] ?? 0)) gone[index] = day;
}

/** Raises each needed point to the last day of what needs it, however far up the chain. */
function extendParents(points: readonly RetentionPoint[], gone: Int32Array): void {
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
