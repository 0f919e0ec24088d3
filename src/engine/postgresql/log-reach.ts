/** How far the stored WAL reaches in time: the last commit in its newest segments, read by pg_waldump. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { LogArchive, LogSegment } from "../../catalogue/catalogue.ts";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext } from "../engine.ts";
import { parseLastCommitMs } from "./parse.ts";
import { programsOf } from "./programs.ts";
import { segmentName } from "./wal.ts";

/** A segment switch or a quiet hour leaves segments without a commit; further back it is not worth the bytes. */
const segmentsTried = 4;
const majors = [17, 16, 15, 18, 14];

/** Undefined when the newest segments hold no commit, or no pg_waldump here can read them. */
export async function logReach(
  context: EngineContext,
  log: LogStore,
  archive: LogArchive,
): Promise<Instant | undefined> {
  for (const segment of newestPieces(archive).slice(0, segmentsTried)) {
    const path = join(context.workDirectory, segment.name);
    if (!(await log.fetch(segment.key, path))) continue;
    if (segment.partial) {
      const handle = await open(path, "r+");
      await handle.truncate(archive.segmentBytes);
      await handle.close();
    }
    const ms = await lastCommitMs(context, path);
    if (ms !== undefined) return instant(ms);
  }
  return undefined;
}

/**
 * Pieces of the newest timeline and of those it comes from, newest first; whole segments in place of their own
 * partial. What an older timeline wrote behind the fork was given up: after a restore to an earlier instant it
 * has the higher positions, and its commits are not those of the server of today.
 */
export function newestPieces(archive: LogArchive): readonly LogSegment[] {
  const names = new Set(archive.segments.map((s) => s.name));
  const whole = new Set(archive.segments.filter((s) => !s.partial).map((s) => s.name));
  const byName = new Map(archive.branches.map((b) => [b.branch, b]));
  const endsBefore = new Map<string, number>();
  let at = [...new Set([...byName.keys(), ...archive.segments.map((s) => s.branch)])].sort().at(-1);
  let end = Number.POSITIVE_INFINITY;
  while (at !== undefined && !endsBefore.has(at)) {
    endsBefore.set(at, end);
    const fork = byName.get(at)?.forkSequence;
    // The child's copy of the fork's segment holds the parent's part of it; until it is stored the parent's does.
    if (fork !== undefined) {
      const copy = segmentName(at, fork, archive.segmentBytes);
      end = Math.min(end, names.has(copy) ? fork : fork + 1);
    }
    at = byName.get(at)?.parent;
  }
  return archive.segments
    .filter((s) => s.sequence < (endsBefore.get(s.branch) ?? 0) && (!s.partial || !whole.has(s.name)))
    .sort((a, b) => b.sequence - a.sequence || (a.branch < b.branch ? 1 : -1));
}

/** pg_waldump reads only its own version's WAL, and the archive does not say which that is. */
async function lastCommitMs(context: EngineContext, path: string): Promise<number | undefined> {
  for (const major of majors) {
    let program: string;
    try {
      program = await programsOf(context, major).path("pg_waldump");
    } catch (error) {
      if (error instanceof HoldfastError && error.code === "tool-missing") continue;
      throw error;
    }
    // It always ends badly at the end of a log that is still being written.
    const { stdout } = await context.exec.run(
      { argv: [program, "--rmgr=Transaction", path] },
      { accept: [0, 1], signal: context.signal, deadlineMs: 60_000 },
    );
    const ms = parseLastCommitMs(stdout);
    if (ms !== undefined) return ms;
  }
  return undefined;
}
