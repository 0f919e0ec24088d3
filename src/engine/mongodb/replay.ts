/**
 * Makes one oplog file of the slices a restore needs: from where the dump ends up to the target. Each slice has
 * to begin with the entry the one before ends with; nothing is replayed over a hole.
 */
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { LogSegment } from "../../catalogue/catalogue.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RecoveryTarget, RestoreRequest } from "../engine.ts";
import {
  comparePositions,
  entryMs,
  isAtOrAfter,
  logNames,
  type Position,
  positionWords,
  slicesOf,
} from "./oplog.ts";
import { fetchSlice, type SliceEntry } from "./slice-cover.ts";

/** In the folder of a restore; a folder of its own, because mongorestore takes a folder. */
export const replayFile = join("oplog", "oplog.bson");

export interface Replay {
  readonly entries: number;
  readonly slices: number;
  /** The last entry that is replayed; undefined when there is none. */
  readonly reachedAt?: Position;
  readonly reachedMs?: number;
  /** First slice of a hole behind what was taken; undefined where the log simply ends. */
  readonly missing?: string;
}

/**
 * After it `oplog/oplog.bson` holds the entries behind `after` and before the target, if there are any.
 * @throws wal-gap when the log has a hole before the target; data-damaged when slices do not join
 */
export async function writeReplay(
  context: EngineContext,
  request: RestoreRequest,
  after: Position,
): Promise<Replay> {
  const manifest = request.chain[0]?.manifest;
  const { log, target } = request;
  if (manifest?.log === undefined || log === undefined || target.kind === "point")
    return { entries: 0, slices: 0 };
  const { slices, missing } = chooseSlices(manifest, slicesOf(log.archive, manifest.log.branch));
  const path = join(request.directory, replayFile);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const atMs = target.kind === "time" ? Date.parse(target.at) : Number.POSITIVE_INFINITY;
  let entries = 0;
  let taken = 0;
  let last: SliceEntry | undefined;
  let before: SliceEntry | undefined;
  let isCut = false;
  context.step(`fetching up to ${slices.length} oplog slices`);
  for (const slice of slices) {
    context.signal.throwIfAborted();
    const found = await fetchSlice(context, log.store, slice);
    if (found === undefined) throw hole(slice.name, target);
    requireJoint(before, found[0], slice.name);
    if (before === undefined) requireBegin(found[0], after, slice.name);
    const cut = found.findIndex((e) => isAtOrAfter(e.entry, atMs) && comparePositions(e.entry.at, after) > 0);
    // The first entry of a later slice is the last one of the slice before.
    const fresh = found
      .slice(before === undefined ? 0 : 1, cut < 0 ? undefined : cut)
      .filter((e) => comparePositions(e.entry.at, after) > 0);
    if (fresh.length > 0) {
      await appendFile(path, Buffer.concat(fresh.map((e) => e.document)), { mode: 0o600 });
      entries += fresh.length;
      last = fresh.at(-1);
    }
    taken += 1;
    before = found.at(-1);
    isCut = cut >= 0;
    if (isCut) break;
  }
  // Without an entry at or behind the target, the hole may hide some before it.
  if (!isCut && missing !== undefined && target.kind === "time") throw hole(missing, target);
  return {
    entries,
    slices: taken,
    ...(last === undefined ? {} : { reachedAt: last.entry.at, reachedMs: entryMs(last.entry) }),
    ...(isCut || missing === undefined ? {} : { missing }),
  };
}

/** From the slice the dump began in to the end of the run, or to its first hole. */
export function chooseSlices(
  manifest: Manifest,
  stored: readonly LogSegment[],
): { readonly slices: readonly LogSegment[]; readonly missing?: string } {
  const need = manifest.log;
  if (need === undefined) return { slices: [] };
  const slices: LogSegment[] = [];
  let next = need.firstSequence;
  const nameAt = (sequence: number): string => logNames.segmentName(need.branch, sequence);
  for (const slice of stored) {
    if (slice.sequence < next) continue;
    const isHole = slice.sequence > next || slices.at(-1)?.partial === true;
    // An unfinished slice ends the way, unless it is the last: what came behind it in it was never stored.
    if (isHole) return { slices, missing: nameAt(slice.sequence > next ? next : next - 1) };
    slices.push(slice);
    next += 1;
  }
  return slices.length === 0 ? { slices, missing: nameAt(next) } : { slices };
}

function requireJoint(before: SliceEntry | undefined, first: SliceEntry | undefined, name: string): void {
  if (before === undefined || first === undefined || before.document.equals(first.document)) return;
  throw new HoldfastError(
    "data-damaged",
    `oplog slice ${name} does not begin where the one before ends (${positionWords(before.entry.at)})`,
    { hint: "restore to an instant before it, or to a later point" },
  );
}

function requireBegin(first: SliceEntry | undefined, after: Position, name: string): void {
  if (first === undefined || comparePositions(first.entry.at, after) <= 0) return;
  throw new HoldfastError(
    "wal-gap",
    `the dump ends at ${positionWords(after)} and oplog slice ${name} begins later, at ${positionWords(first.entry.at)}`,
  );
}

function hole(name: string, target: RecoveryTarget): HoldfastError {
  const wanted = target.kind === "time" ? target.at : "the end of the log";
  return new HoldfastError("wal-gap", `oplog slice ${name} is missing on the way to ${wanted}`, {
    hint: "leave the target out to go as far as the log reaches, or take an instant before the hole",
  });
}
