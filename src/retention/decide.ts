/**
 * What a keep table says of a set of points. Each line keeps the newest good point of each of its newest
 * places that have one; one point may fill several. A place that holds only failed points keeps the newest of
 * them without using up the count, because a failure may be the drill's own. Parents stay with their children.
 */
import type { KeepTable } from "../policy/model.ts";
import {
  bucketOf,
  type CountedLine,
  countedLines,
  dayMs,
  describeKeep,
  nameOfPlace,
  wallOf,
} from "./calendar.ts";

export interface RetentionPoint {
  readonly id: string;
  readonly atMs: number;
  /** False when its newest verification failed. */
  readonly good: boolean;
  /** Points this one needs. */
  readonly parents: readonly string[];
}

export interface RetentionDecision {
  readonly id: string;
  readonly keep: boolean;
  /** Why, at least one sentence. */
  readonly reasons: readonly string[];
}

export interface DecideInput {
  readonly points: readonly RetentionPoint[];
  readonly keep: KeepTable;
  readonly timeZone: string;
  readonly nowMs: number;
}

/** One decision per point in the order given; the result does not depend on that order. */
export function decide(input: DecideInput): readonly RetentionDecision[] {
  const { points, keep } = input;
  if (keep.forever) return points.map((p) => ({ id: p.id, keep: true, reasons: ["forever"] }));
  const reasons: (string[] | undefined)[] = new Array(points.length).fill(undefined);
  const give = (index: number, reason: string): void => {
    const given = reasons[index];
    if (given === undefined) reasons[index] = [reason];
    else given.push(reason);
  };
  const newestFirst = orderOf(points);
  const lines = countedLines.flatMap((line) => {
    const count = keep[line];
    return count === undefined || count <= 0 ? [] : [openLine(line, count)];
  });
  const youngerThanMs = keep.days === undefined ? undefined : input.nowMs - keep.days * dayMs;
  for (const index of newestFirst) {
    const point = points[index] as RetentionPoint;
    if (youngerThanMs !== undefined && point.atMs >= youngerThanMs) {
      give(index, `younger than ${keep.days} days`);
    }
    if (lines.every((line) => line.full)) {
      // Sorted by age: past the age line and with all places taken nothing older can be kept.
      if (youngerThanMs === undefined || point.atMs < youngerThanMs) break;
      continue;
    }
    const wallMs = wallOf(input.timeZone, point.atMs);
    for (const line of lines) if (!line.full) offer(line, index, point.good, wallMs);
  }
  for (const line of lines) award(line, give);
  keepParents(points, newestFirst, reasons, give);
  const expired = [`no place in ${describeKeep(keep)}`];
  const failed = [`its newest verification failed and ${expired[0]}`];
  return points.map((point, index) => {
    const given = reasons[index];
    if (given !== undefined) return { id: point.id, keep: true, reasons: given };
    return { id: point.id, keep: false, reasons: point.good ? expired : failed };
  });
}

/** Indexes, newest first; points of one instant by id, so that the order given does not matter. */
function orderOf(points: readonly RetentionPoint[]): readonly number[] {
  return points
    .map((_, index) => index)
    .sort((a, b) => {
      const p = points[a] as RetentionPoint;
      const q = points[b] as RetentionPoint;
      return q.atMs - p.atMs || (p.id < q.id ? 1 : p.id > q.id ? -1 : 0);
    });
}

interface Place {
  readonly wallMs: number;
  good: number;
  failed: number;
}

interface Line {
  readonly line: CountedLine;
  readonly count: number;
  /** By bucket, newest first. */
  readonly places: Map<number, Place>;
  goodPlaces: number;
  full: boolean;
}

function openLine(line: CountedLine, count: number): Line {
  return { line, count, places: new Map(), goodPlaces: 0, full: false };
}

function offer(line: Line, index: number, good: boolean, wallMs: number): void {
  const bucket = line.line === "last" ? line.places.size : bucketOf(line.line, wallMs);
  let place = line.places.get(bucket);
  if (place === undefined) {
    place = { wallMs, good: -1, failed: -1 };
    line.places.set(bucket, place);
  }
  if (!good) {
    if (place.failed < 0) place.failed = index;
    return;
  }
  if (place.good >= 0) return;
  place.good = index;
  line.goodPlaces += 1;
  // The rest of this bucket is older than its winner, so the line needs no more points.
  line.full = line.goodPlaces >= line.count;
}

function award(line: Line, give: (index: number, reason: string) => void): void {
  let goodRank = 0;
  let failedRank = 0;
  for (const place of line.places.values()) {
    if (place.good >= 0) {
      goodRank += 1;
      give(place.good, nameOfPlace(line.line, place.wallMs, goodRank));
    } else if (failedRank < line.count) {
      failedRank += 1;
      give(place.failed, `${nameOfPlace(line.line, place.wallMs, failedRank)}, where no good point is`);
    }
  }
}

function keepParents(
  points: readonly RetentionPoint[],
  newestFirst: readonly number[],
  reasons: readonly (readonly string[] | undefined)[],
  give: (index: number, reason: string) => void,
): void {
  const waiting: number[] = [];
  let byId: Map<string, number> | undefined;
  for (const index of newestFirst) {
    if (reasons[index] !== undefined && (points[index] as RetentionPoint).parents.length > 0) {
      waiting.push(index);
    }
  }
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    byId ??= new Map(points.map((p, index) => [p.id, index]));
    const point = points[next] as RetentionPoint;
    for (const parent of point.parents) {
      const index = byId.get(parent);
      if (index === undefined) continue;
      const isNew = reasons[index] === undefined;
      give(index, `needed by ${point.id}`);
      if (isNew) waiting.push(index);
    }
  }
}
