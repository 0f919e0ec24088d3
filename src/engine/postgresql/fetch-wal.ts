/**
 * Brings the WAL a restore needs into a folder, decoded, under the names the server asks for. A restore
 * then depends on nothing but its own folder, also when somebody starts it tomorrow.
 */
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { LogArchive, LogBranch } from "../../catalogue/catalogue.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RecoveryTarget, RestoreRequest } from "../engine.ts";
import { giveToServer, makeServerFolder } from "./folders.ts";
import { formatLsn, logNames, parseLsn, parseSegment, segmentName, usualSegmentBytes } from "./wal.ts";

/** The store's clock and the server's may differ by this much before a time target misses WAL it needs. */
const clockSlackMs = 10 * 60_000;
const parallelFetches = 4;

interface Piece {
  readonly name: string;
  readonly key: string;
  readonly partial: boolean;
}

export interface FetchedWal {
  readonly segmentsCount: number;
  /** The first segment that is missing after those that were fetched; undefined when nothing newer is stored. */
  readonly missing?: string;
}

export function segmentBytesOf(manifest: Manifest): number {
  const recorded = manifest.engine["segmentBytes"];
  return typeof recorded === "number" && recorded > 0 ? recorded : usualSegmentBytes;
}

/** @throws wal-gap when a segment the target cannot do without is not in the store; it is named */
export async function fetchWal(
  context: EngineContext,
  request: RestoreRequest,
  folder: string,
): Promise<FetchedWal> {
  const manifest = request.chain[0]?.manifest;
  const { log } = request;
  if (manifest?.log === undefined || log === undefined) return { segmentsCount: 0 };
  const segmentBytes = segmentBytesOf(manifest);
  const { pieces, missing } = choosePieces(manifest, log.archive, request.target, segmentBytes);
  await makeServerFolder(context, folder);
  context.step(`fetching ${pieces.length} WAL segments`);
  for (const branch of log.archive.branches) {
    if (branch.key === undefined) continue;
    await fetchPiece(
      context,
      request,
      { name: `${branch.branch}.history`, key: branch.key, partial: false },
      folder,
      segmentBytes,
    );
  }
  const queue = [...pieces];
  const work = async (): Promise<void> => {
    for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
      context.signal.throwIfAborted();
      await fetchPiece(context, request, piece, folder, segmentBytes);
    }
  };
  await Promise.all(Array.from({ length: parallelFetches }, work));
  return { segmentsCount: pieces.length, ...(missing === undefined ? {} : { missing }) };
}

/** Timelines from the point's own to the newest that descends from it, oldest first. */
function lineOf(
  branch: string,
  branches: readonly LogBranch[],
  known: readonly string[],
): readonly LogBranch[] {
  const byName = new Map(branches.map((b) => [b.branch, b]));
  const descends = (name: string): boolean => {
    for (let at: string | undefined = name; at !== undefined; at = byName.get(at)?.parent)
      if (at === branch) return true;
    return false;
  };
  const newest = [...new Set([...known, ...byName.keys()])].filter(descends).sort().at(-1) ?? branch;
  const line: LogBranch[] = [];
  for (let at: string | undefined = newest; at !== undefined; at = byName.get(at)?.parent) {
    line.unshift(byName.get(at) ?? { branch: at });
    if (at === branch) break;
  }
  return line;
}

/** Pure: which stored pieces a restore to `target` needs, in order. @throws wal-gap */
export function choosePieces(
  manifest: Manifest,
  archive: LogArchive,
  target: RecoveryTarget,
  segmentBytes: number,
): { readonly pieces: readonly Piece[]; readonly missing?: string } {
  const need = manifest.log;
  if (need === undefined) return { pieces: [] };
  const names = logNames(segmentBytes);
  const stored = new Map<string, { key: string; partial: boolean; storedAtMs: number }>();
  let newestSequence = -1;
  const line = lineOf(
    need.branch,
    archive.branches,
    archive.segments.map((s) => s.branch),
  );
  for (const segment of archive.segments) {
    const place = parseSegment(segment.name, segmentBytes);
    // What a timeline wrote behind the fork to the next one was given up, and is neither needed nor a gap.
    if (place === undefined || !branchesAt(line, place.sequence).includes(place.branch)) continue;
    newestSequence = Math.max(newestSequence, place.sequence);
    if (segment.partial && stored.get(segment.name)?.partial === false) continue;
    stored.set(segment.name, {
      key: segment.key,
      partial: segment.partial,
      storedAtMs: Date.parse(segment.storedAt),
    });
  }
  const lastWanted = lastSequence(target, need.lastSequence, newestSequence, segmentBytes);
  const pieces: Piece[] = [];
  for (let sequence = need.firstSequence; sequence <= lastWanted; sequence += 1) {
    const candidates = branchesAt(line, sequence).map((branch) =>
      segmentName(branch, sequence, segmentBytes),
    );
    const found = candidates.filter((name) => stored.has(name));
    if (found.length === 0) {
      const missing = candidates.at(-1) ?? names.segmentName(need.branch, sequence);
      const isNeeded =
        sequence <= need.lastSequence || (target.kind === "latest" && sequence < newestSequence);
      if (!isNeeded) return { pieces, missing };
      const before = formatLsn(sequence * segmentBytes);
      throw new HoldfastError(
        "wal-gap",
        `WAL segment ${missing} is missing in the store; the log breaks off at ${before}`,
        {
          hint: "holdfast at TIME says which instants can be reached; --at one of them, or --point for a base backup alone",
        },
      );
    }
    for (const name of found) {
      const piece = stored.get(name);
      if (piece !== undefined) pieces.push({ name, key: piece.key, partial: piece.partial });
    }
    const newest = stored.get(found.at(-1) ?? "");
    const isPast =
      target.kind === "time" &&
      newest !== undefined &&
      newest.storedAtMs > Date.parse(target.at) + clockSlackMs;
    if (isPast && sequence >= need.lastSequence) break;
  }
  return { pieces };
}

/** On the fork's own segment both timelines have a file; the server asks for the newer one first. */
function branchesAt(line: readonly LogBranch[], sequence: number): readonly string[] {
  return line
    .filter((branch, index) => {
      const beginsAt = index === 0 ? 0 : (branch.forkSequence ?? 0);
      const endsAt = line[index + 1]?.forkSequence ?? Number.POSITIVE_INFINITY;
      return sequence >= beginsAt && sequence <= endsAt;
    })
    .map((branch) => branch.branch);
}

function lastSequence(
  target: RecoveryTarget,
  needLast: number,
  newest: number,
  segmentBytes: number,
): number {
  if (target.kind === "point") return needLast;
  if (target.kind === "lsn") {
    const position = parseLsn(target.lsn) ?? 0;
    return Math.max(needLast, Math.floor(position / segmentBytes));
  }
  return Math.max(needLast, newest);
}

async function fetchPiece(
  context: EngineContext,
  request: RestoreRequest,
  piece: Piece,
  folder: string,
  segmentBytes: number,
): Promise<void> {
  const path = join(folder, piece.name);
  const temporary = `${path}.fetching`;
  const isFound = await request.log?.store.fetch(piece.key, temporary);
  if (isFound !== true) {
    throw new HoldfastError("wal-gap", `WAL segment ${piece.name} was listed and is gone from the store`);
  }
  if (piece.partial) {
    // The server refuses a short file; zeros after the last record are the end of the log.
    const handle = await open(temporary, "r+");
    await handle.truncate(segmentBytes);
    await handle.close();
  }
  await giveToServer(context, temporary);
  await rename(temporary, path);
}
