/** Where in the stored slices a position lies. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LogSegment } from "../../catalogue/catalogue.ts";
import { HoldfastError } from "../../errors.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext } from "../engine.ts";
import { documentsOf } from "./bson.ts";
import {
  comparePositions,
  logNames,
  type OplogEntry,
  type Position,
  parsePosition,
  parseSliceName,
  positionWords,
  readEntry,
  slicesOf,
} from "./oplog.ts";

const waitMs = 120_000;

export interface SliceCover {
  readonly branch: string;
  readonly sequence: number;
}

/**
 * Waits until the store has the oplog up to where `position` was at first, and says in which slice that is.
 * @throws wal-gap when it does not come in time: without a receiver nothing after the dump could be restored
 */
export async function waitForSlices(
  context: EngineContext,
  log: LogStore,
  position: () => Promise<Position>,
): Promise<SliceCover> {
  let wanted = await position();
  const giveUpAtMs = context.clock.nowMs() + waitMs;
  for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 1.5, 3000)) {
    const slices = slicesOf(await log.archive(logNames));
    const branchStart = parsePosition(slices[0]?.branch ?? "");
    // A run that began later can be all there is: the dump has not begun, so it may begin later too.
    if (branchStart !== undefined && comparePositions(branchStart, wanted) > 0) wanted = await position();
    const cover = await coverOf(context, log, slices, wanted);
    if (cover !== undefined) return cover;
    if (context.clock.nowMs() > giveUpAtMs) {
      throw new HoldfastError(
        "wal-gap",
        `the store still lacks the oplog up to ${positionWords(wanted)}; what changes after the dump could not be restored`,
        { hint: `is the receiver running? holdfast wal ${context.policy.name}` },
      );
    }
    if (pauseMs < 300) context.step(`waiting until the store has the oplog up to ${positionWords(wanted)}`);
    await context.clock.wait(pauseMs, context.signal);
  }
}

/** The slice that holds a position; undefined while the store does not have it. */
async function coverOf(
  context: EngineContext,
  log: LogStore,
  slices: readonly LogSegment[],
  wanted: Position,
): Promise<SliceCover | undefined> {
  const index = slices.findLastIndex((s) => {
    const parsed = parseSliceName(s.name);
    return parsed !== undefined && comparePositions(parsed.first, wanted) <= 0;
  });
  const slice = slices[index];
  if (slice === undefined) return undefined;
  const found = { branch: slice.branch, sequence: slice.sequence };
  // The next one begins with the last entry of this one.
  if (slices[index + 1]?.sequence === slice.sequence + 1) return found;
  const last = (await fetchSlice(context, log, slice))?.at(-1);
  return last !== undefined && comparePositions(last.entry.at, wanted) >= 0 ? found : undefined;
}

export interface SliceEntry {
  readonly entry: OplogEntry;
  /** As the server has it. */
  readonly document: Buffer;
}

/**
 * A stored slice, read and checked; undefined when it is gone.
 * @throws data-damaged when it is no whole sequence of entries in order
 */
export async function fetchSlice(
  context: EngineContext,
  log: LogStore,
  slice: LogSegment,
): Promise<readonly SliceEntry[] | undefined> {
  const path = join(context.workDirectory, `slice-${randomUUID()}.bson`);
  try {
    if (!(await log.fetch(slice.key, path))) return undefined;
    return readSlice(slice.name, await readFile(path));
  } finally {
    await rm(path, { force: true });
  }
}

/** @throws data-damaged, naming the slice */
export function readSlice(name: string, bytes: Buffer): readonly SliceEntry[] {
  const entries: SliceEntry[] = [];
  const bad = (why: string): HoldfastError =>
    new HoldfastError("data-damaged", `oplog slice ${name} is damaged: ${why}`);
  try {
    for (const document of documentsOf(bytes)) entries.push({ entry: readEntry(document), document });
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
  const [first] = entries;
  const wanted = parseSliceName(name)?.first;
  if (first === undefined) throw bad("it is empty");
  if (wanted !== undefined && comparePositions(first.entry.at, wanted) !== 0)
    throw bad(`it begins at ${positionWords(first.entry.at)} and not where its name says`);
  for (let at = 1; at < entries.length; at += 1) {
    const [earlier, later] = [entries[at - 1], entries[at]];
    if (earlier === undefined || later === undefined) continue;
    if (comparePositions(earlier.entry.at, later.entry.at) >= 0)
      throw bad(`its entries are out of order at ${positionWords(later.entry.at)}`);
  }
  return entries;
}
