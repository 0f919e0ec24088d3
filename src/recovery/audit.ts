/**
 * The stored change log as ranges and gaps. A gap is `late` while what follows it is so fresh that an upload
 * may still be under way, and `lost` after that.
 */
import type { LogArchive } from "../catalogue/catalogue.ts";
import { indexLog, type LogIndex, type Position, type SegmentName } from "./lineage.ts";

export interface LogRange {
  readonly branch: string;
  readonly first: number;
  readonly last: number;
}

export interface LogGap {
  readonly branch: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly kind: "lost" | "late";
}

export interface LogAudit {
  readonly ranges: readonly LogRange[];
  readonly gaps: readonly LogGap[];
}

export interface AuditInput {
  readonly archive: LogArchive;
  readonly nameOf: SegmentName;
  /** Judge from here on, and only what descends from it; without it from the first stored piece. */
  readonly from?: Position;
  readonly nowMs: number;
  /** A piece may come this much later than the one after it. */
  readonly lateAfterMs: number;
}

/** Branches in the order of their names, sequences ascending. What a branch holds past its fork is a range, its holes there no gaps. */
export function auditLog(input: AuditInput): LogAudit {
  const index = indexLog(input.archive);
  const ranges: LogRange[] = [];
  const gaps: LogGap[] = [];
  for (const branch of index.branches) {
    const first = firstExpected(index, branch, input.from, new Set());
    if (first === undefined) continue;
    const stored = index.sequences(branch).filter((n) => n >= first);
    ranges.push(...rangesOf(index, branch, stored));
    gaps.push(...gapsOf(index, branch, first, stored, input));
  }
  return { ranges, gaps };
}

/** From which sequence a branch is expected whole, or undefined where nothing is expected of it. */
function firstExpected(
  index: LogIndex,
  branch: string,
  from: Position | undefined,
  seen: ReadonlySet<string>,
): number | undefined {
  if (from !== undefined && branch === from.branch) return from.sequence;
  if (seen.has(branch)) return undefined;
  const stored = index.sequences(branch);
  const history = index.branch(branch);
  if (history?.parent === undefined || history.forkSequence === undefined) {
    return from === undefined ? stored[0] : undefined;
  }
  // Without log of its own nothing was written on it yet; it shows once a child or a segment appears.
  const hasAny = stored.length > 0 || index.childrenOf(branch).length > 0;
  const parentFirst = firstExpected(index, history.parent, from, new Set([...seen, branch]));
  if (parentFirst !== undefined && parentFirst <= history.forkSequence) {
    return hasAny ? history.forkSequence : undefined;
  }
  return from === undefined ? stored[0] : undefined;
}

/** A partial segment ends a range: the log does not go on behind it. */
function rangesOf(index: LogIndex, branch: string, stored: readonly number[]): readonly LogRange[] {
  const ranges: { branch: string; first: number; last: number }[] = [];
  let open = false;
  for (const sequence of stored) {
    const current = ranges.at(-1);
    if (open && current !== undefined && sequence === current.last + 1) current.last = sequence;
    else ranges.push({ branch, first: sequence, last: sequence });
    open = index.at({ branch, sequence })?.partial === false;
  }
  return ranges;
}

function gapsOf(
  index: LogIndex,
  branch: string,
  first: number,
  stored: readonly number[],
  input: AuditInput,
): readonly LogGap[] {
  const forks = index
    .childrenOf(branch)
    .filter((c) => index.sequences(c.branch).length > 0)
    .flatMap((c) => (c.forkSequence === undefined ? [] : [c.forkSequence]));
  // Up to its last fork the branch carries the log of its children; behind it only itself.
  const last = forks.length > 0 ? Math.max(...forks) - 1 : (stored.at(-1) ?? first - 1);
  const gaps: LogGap[] = [];
  const note = (firstSequence: number, lastSequence: number): void => {
    if (firstSequence > lastSequence) return;
    const kind = isLate(index, branch, lastSequence + 1, input) ? "late" : "lost";
    const firstName = input.nameOf(branch, firstSequence);
    const lastName = input.nameOf(branch, lastSequence);
    gaps.push({ branch, firstSequence, lastSequence, firstName, lastName, kind });
  };
  let next = first;
  for (const sequence of stored) {
    if (sequence > last) break;
    const isWhole = index.at({ branch, sequence })?.partial === false;
    // The last piece of an open branch may be unfinished.
    if (!isWhole && sequence < last) continue;
    if (!isWhole && forks.length > 0) continue;
    note(next, sequence - 1);
    next = sequence + 1;
  }
  note(next, last);
  return gaps;
}

/** Whether the piece behind a gap is too fresh to call the gap lost. */
function isLate(index: LogIndex, branch: string, sequence: number, input: AuditInput): boolean {
  const own = index.at({ branch, sequence });
  const heirs = index.childrenOf(branch).filter((c) => c.forkSequence === sequence);
  const following = [own, ...heirs.map((c) => index.at({ branch: c.branch, sequence }))];
  return following.some((s) => s !== undefined && Date.parse(s.storedAt) > input.nowMs - input.lateAfterMs);
}
