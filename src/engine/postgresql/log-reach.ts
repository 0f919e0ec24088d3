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

/** A segment switch or a quiet hour leaves segments without a commit; further back it is not worth the bytes. */
const segmentsTried = 4;
const majors = [17, 16, 15, 18, 14];

/** Undefined when the newest segments hold no commit, or no pg_waldump here can read them. */
export async function logReach(
  context: EngineContext,
  log: LogStore,
  archive: LogArchive,
): Promise<Instant | undefined> {
  for (const segment of newestFirst(archive).slice(0, segmentsTried)) {
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

/** Whole segments before their own partial, newest timeline first where two have the same position. */
function newestFirst(archive: LogArchive): readonly LogSegment[] {
  const whole = new Set(archive.segments.filter((s) => !s.partial).map((s) => s.name));
  return archive.segments
    .filter((s) => !s.partial || !whole.has(s.name))
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
