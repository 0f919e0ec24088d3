/**
 * Which stored pieces of the change log may go. Everything a kept point needs stays, and everything from the
 * newest kept good point before the window's start on. What cannot be decided stays; history never expires.
 */
import type { LogArchive, LogSegment, RecoveryPoint } from "../catalogue/catalogue.ts";
import { isGood } from "./points.ts";

export interface LogExpiryInput {
  readonly archive: LogArchive;
  /** Points that stay for good: their log carries the window. */
  readonly kept: readonly RecoveryPoint[];
  /** Points that exist after this run, expired ones in their grace included: each keeps the log it needs. */
  readonly present: readonly RecoveryPoint[];
  /** Any instant from here on can be restored; -Infinity to keep everything. */
  readonly windowFromMs: number;
  /** Pieces stored after this stay whatever else holds. */
  readonly storedBeforeMs: number;
}

export interface LogExpiry {
  readonly keys: readonly string[];
  /** Why nothing goes, or empty. */
  readonly reason: string;
}

/** Keys of segments no restore can need any more, in the order of the log. */
export function expiredLog(input: LogExpiryInput): LogExpiry {
  const { archive, kept, present, windowFromMs, storedBeforeMs } = input;
  const anchor = anchorOf(kept, windowFromMs);
  const from = anchor?.manifest.log;
  if (anchor === undefined) return { keys: [], reason: "no kept good point is as old as the window" };
  if (from === undefined) return { keys: [], reason: `point ${anchor.manifest.id} names no log it needs` };
  const needed = neededSequences(present);
  const complete = new Set(archive.segments.filter((s) => !s.partial).map(positionOf));
  const keys = [...archive.segments]
    .sort((a, b) => a.sequence - b.sequence || (a.key < b.key ? -1 : 1))
    .filter((segment) => {
      const storedMs = Date.parse(segment.storedAt);
      if (!(storedMs < storedBeforeMs)) return false;
      if (segment.partial && complete.has(positionOf(segment))) return true;
      // A server made anew counts from the beginning again; its pieces are younger than the window's start.
      if (segment.sequence >= from.firstSequence || !(storedMs < windowFromMs)) return false;
      return !needed.has(segment.sequence);
    })
    .map((segment) => segment.key);
  return { keys, reason: "" };
}

/** The newest good point whose state is not younger than the window's start. */
function anchorOf(points: readonly RecoveryPoint[], windowFromMs: number): RecoveryPoint | undefined {
  let anchor: RecoveryPoint | undefined;
  for (const point of points) {
    if (!isGood(point) || !(Date.parse(point.manifest.consistentAt) <= windowFromMs)) continue;
    if (anchor === undefined || point.manifest.consistentAt > anchor.manifest.consistentAt) anchor = point;
  }
  return anchor;
}

function positionOf(segment: Pick<LogSegment, "branch" | "sequence">): string {
  return `${segment.branch} ${segment.sequence}`;
}

/** Sequences inside the points' own needs, on whatever branch: the segment of a fork is on both sides of it. */
function neededSequences(points: readonly RecoveryPoint[]): ReadonlySet<number> {
  const needed = new Set<number>();
  for (const { manifest } of points) {
    if (manifest.log === undefined) continue;
    const { firstSequence, lastSequence } = manifest.log;
    for (let sequence = firstSequence; sequence <= lastSequence; sequence += 1) needed.add(sequence);
  }
  return needed;
}
