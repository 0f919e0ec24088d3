/**
 * The change log as one way through its branches. A promotion forks the log: the new branch goes on where its
 * parent was left, and the segment of the fork is on both. A restore follows the newest branch that descends
 * from the point's own.
 */
import type { LogArchive, LogBranch, LogSegment } from "../catalogue/catalogue.ts";

export interface Position {
  readonly branch: string;
  readonly sequence: number;
}

/** How the missing pieces are spoken of. */
export type SegmentName = (branch: string, sequence: number) => string;

export const plainName: SegmentName = (branch, sequence) => `${branch} number ${sequence}`;

export interface LogIndex {
  /** The stored segment at a position, a complete one before a partial one. */
  at(position: Position): LogSegment | undefined;
  /** Sequences stored on a branch, ascending. */
  sequences(branch: string): readonly number[];
  branch(name: string): LogBranch | undefined;
  /** Every branch known by a history or by a segment, by name. */
  readonly branches: readonly string[];
  childrenOf(branch: string): readonly LogBranch[];
}

export function indexLog(archive: LogArchive | undefined): LogIndex {
  const stored = new Map<string, Map<number, LogSegment>>();
  for (const segment of archive?.segments ?? []) {
    let line = stored.get(segment.branch);
    if (line === undefined) {
      line = new Map();
      stored.set(segment.branch, line);
    }
    const known = line.get(segment.sequence);
    if (known === undefined || known.partial) line.set(segment.sequence, segment);
  }
  const histories = new Map((archive?.branches ?? []).map((b) => [b.branch, b]));
  const sorted = new Map<string, readonly number[]>();
  return {
    at: ({ branch, sequence }) => stored.get(branch)?.get(sequence),
    sequences(branch) {
      let found = sorted.get(branch);
      if (found === undefined) {
        found = [...(stored.get(branch)?.keys() ?? [])].sort((a, b) => a - b);
        sorted.set(branch, found);
      }
      return found;
    },
    branch: (name) => histories.get(name),
    branches: [...new Set([...histories.keys(), ...stored.keys()])].sort(),
    childrenOf: (name) => [...histories.values()].filter((b) => b.parent === name && b.branch !== name),
  };
}

interface Stretch {
  readonly branch: string;
  readonly first: number;
  /** Infinity on the last branch. */
  readonly last: number;
}

/**
 * The way from a position to the end of the newest branch that descends from it. `atLeast` is where a fork may
 * be earliest: a branch that left before it does not hold what comes after.
 */
export function pathFrom(index: LogIndex, from: Position, atLeast: number): readonly Stretch[] {
  const path: Stretch[] = [];
  const seen = new Set([from.branch]);
  let { branch, sequence: first } = from;
  let earliest = atLeast;
  for (;;) {
    const child = newestHeir(index, branch, earliest, seen)?.child;
    if (child?.forkSequence === undefined) break;
    path.push({ branch, first, last: child.forkSequence - 1 });
    branch = child.branch;
    first = child.forkSequence;
    earliest = first;
    seen.add(branch);
  }
  path.push({ branch, first, last: Number.POSITIVE_INFINITY });
  return path;
}

interface Heir {
  readonly child: LogBranch;
  /** The newest branch with any log that is reached through it. */
  readonly newest: string;
}

/** The child that leads to the newest descendant with any log; names of branches sort as they were made. */
function newestHeir(
  index: LogIndex,
  branch: string,
  atLeast: number,
  seen: ReadonlySet<string>,
): Heir | undefined {
  let best: Heir | undefined;
  for (const child of index.childrenOf(branch)) {
    if (child.forkSequence === undefined || child.forkSequence < atLeast || seen.has(child.branch)) continue;
    const deeper = newestHeir(index, child.branch, child.forkSequence, new Set([...seen, child.branch]));
    if (deeper === undefined && index.sequences(child.branch).length === 0) continue;
    const newest = deeper?.newest ?? child.branch;
    if (best === undefined || newest > best.newest) best = { child, newest };
  }
  return best;
}

export interface LogRun {
  /** Segments without a hole, in order; the last may be partial. */
  readonly segments: readonly LogSegment[];
  /** First position that is not there. */
  readonly missing: Position;
  /** Last missing position before the log goes on; undefined when nothing comes after. */
  readonly missingUntil?: Position;
}

/** Follows the log from a position until the first hole. */
export function runFrom(index: LogIndex, from: Position, atLeast: number): LogRun {
  const path = pathFrom(index, from, atLeast);
  const segments: LogSegment[] = [];
  for (const [step, { branch, first, last }] of path.entries()) {
    for (let sequence = first; sequence <= last; sequence += 1) {
      const segment = index.at({ branch, sequence });
      if (segment !== undefined) segments.push(segment);
      // An unfinished segment carries the log only to its own end.
      if (segment !== undefined && !segment.partial) continue;
      const missing = segment === undefined ? { branch, sequence } : { branch, sequence: sequence + 1 };
      const after = nextStored(index, path.slice(step), sequence + 1);
      if (after === undefined) return { segments, missing };
      const hole = { branch, sequence };
      return { segments, missing: hole, missingUntil: before(path, after, hole) };
    }
  }
  // Not reached: the last stretch has no end.
  return { segments, missing: from };
}

/** The first stored position on the rest of a path. */
function nextStored(index: LogIndex, path: readonly Stretch[], atLeast: number): Position | undefined {
  for (const { branch, first, last } of path) {
    const sequence = index.sequences(branch).find((n) => n >= Math.max(first, atLeast) && n <= last);
    if (sequence !== undefined) return { branch, sequence };
  }
  return undefined;
}

/** The position just before `after` on the path, not earlier than `hole`. */
function before(path: readonly Stretch[], after: Position, hole: Position): Position {
  const step = path.findIndex((s) => s.branch === after.branch);
  const isFirst = path[step]?.first === after.sequence;
  const branch = isFirst ? (path[step - 1]?.branch ?? after.branch) : after.branch;
  const sequence = after.sequence - 1;
  return sequence <= hole.sequence ? hole : { branch, sequence };
}
