/**
 * The oplog, pure: positions, entries, and how stored slices of it are named. A slice is a file of entries as
 * the server has them. Its first entry is the last one of the slice before, so that two slices prove by
 * themselves that nothing is missing between them. @see docs/decisions, "MongoDB's oplog in slices"
 */
import type { LogArchive, LogNames, LogSegment } from "../../catalogue/catalogue.ts";
import { damaged, elements, textOf } from "./bson.ts";

/** A BSON timestamp: seconds since 1970 and a counter inside the second. */
export interface Position {
  readonly seconds: number;
  readonly ordinal: number;
}

export interface OplogEntry {
  readonly at: Position;
  /** `i`, `u`, `d`, `c` (command), `n` (nothing). */
  readonly operation: string;
  readonly namespace: string;
  /** Election term; entries of one position and another term are of another history. */
  readonly term: string;
  /** When the primary wrote it, in milliseconds; undefined where the server does not say. */
  readonly wallMs?: number;
}

/** A slice is ended at this size; one entry may make it larger. */
export const sliceBytes = 16 * 1024 * 1024;

export function comparePositions(a: Position, b: Position): number {
  return a.seconds - b.seconds || a.ordinal - b.ordinal;
}

/** 16 hex digits; sorts as positions do. */
export function positionText({ seconds, ordinal }: Position): string {
  return `${hex8(seconds)}${hex8(ordinal)}`;
}

/** Undefined for any other text. */
export function parsePosition(text: string): Position | undefined {
  if (!/^[0-9A-F]{16}$/.test(text)) return undefined;
  return { seconds: Number.parseInt(text.slice(0, 8), 16), ordinal: Number.parseInt(text.slice(8), 16) };
}

function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}

/** `2026-11-24T03:05:56Z, operation 18` */
export function positionWords({ seconds, ordinal }: Position): string {
  return `${new Date(seconds * 1000).toISOString().replace(".000Z", "Z")}, operation ${ordinal}`;
}

/** The latest instant of an entry that is known. */
export function entryMs(entry: OplogEntry): number {
  return entry.wallMs ?? entry.at.seconds * 1000;
}

/** @throws data-damaged when the document has no position */
export function readEntry(document: Buffer): OplogEntry {
  let at: Position | undefined;
  let term = "";
  let wallMs: number | undefined;
  let operation = "";
  let namespace = "";
  for (const element of elements(document)) {
    const { name, type, value } = element;
    if (name === "ts" && type === 17) at = { seconds: value.readUInt32LE(4), ordinal: value.readUInt32LE(0) };
    else if (name === "t" && type === 18) term = String(value.readBigInt64LE(0));
    else if (name === "wall" && type === 9) wallMs = Number(value.readBigInt64LE(0));
    else if (name === "op") operation = textOf(element) ?? "";
    else if (name === "ns") namespace = textOf(element) ?? "";
  }
  if (at === undefined) throw damaged("an oplog entry has no position");
  return { at, operation, namespace, term, ...(wallMs === undefined ? {} : { wallMs }) };
}

/**
 * Whether an entry lies at or after an instant, so that a restore to it must leave it out. Without the
 * primary's own clock only the second is known, and then the whole second stays out.
 */
export function isAtOrAfter(entry: OplogEntry, atMs: number): boolean {
  if (entry.wallMs !== undefined) return entry.wallMs >= atMs;
  return entry.at.seconds >= Math.floor(atMs / 1000);
}

export interface SliceName {
  /** Position where this run of slices began; a gap begins a new one. */
  readonly branch: string;
  /** Counts from 0 without a hole. */
  readonly sequence: number;
  readonly first: Position;
}

/** `<branch>-<sequence>-<position of its first entry>` */
export function sliceName({ branch, sequence, first }: SliceName): string {
  return `${branch}-${String(sequence).padStart(10, "0")}-${positionText(first)}`;
}

/** Undefined for anything that is not the name of a slice. */
export function parseSliceName(name: string): SliceName | undefined {
  const match = /^([0-9A-F]{16})-(\d{10})-([0-9A-F]{16})$/.exec(name);
  const first = parsePosition(match?.[3] ?? "");
  if (match === null || first === undefined) return undefined;
  return { branch: match[1] ?? "", sequence: Number(match[2]), first };
}

export const logNames: LogNames = {
  segmentBytes: sliceBytes,
  parseSegment: (name) => {
    const parsed = parseSliceName(name);
    return parsed === undefined ? undefined : { branch: parsed.branch, sequence: parsed.sequence };
  },
  // Where a missing slice begins nobody knows.
  segmentName: (branch, sequence) => `${branch}-${String(sequence).padStart(10, "0")}`,
  parseHistory: (branch) => ({ branch }),
  forManifest: () => logNames,
};

/** The slices of one run in order, the whole one where a slice is there twice; the newest run unless told. */
export function slicesOf(archive: LogArchive, branch?: string): readonly LogSegment[] {
  const wanted = branch ?? [...new Set(archive.segments.map((s) => s.branch))].sort().at(-1);
  const bySequence = new Map<number, LogSegment>();
  for (const segment of archive.segments) {
    if (segment.branch !== wanted) continue;
    const known = bySequence.get(segment.sequence);
    if (known === undefined || known.partial) bySequence.set(segment.sequence, segment);
  }
  return [...bySequence.values()].sort((a, b) => a.sequence - b.sequence);
}
