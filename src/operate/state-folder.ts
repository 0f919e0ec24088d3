/**
 * The reconciler's own folder on one machine: which revision is in force, what the loop has said last, and a
 * lock so that one folder has one reconciler. Files are written whole; `kill -9` leaves the old or the new.
 */
import { link, mkdir, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../errors.ts";
import { readJson, writeJson } from "../json-file.ts";
import { processStart } from "../process-start.ts";
import type { Revision } from "../source/source.ts";
import type { LoopStatus } from "./reconcile.ts";

export interface KnownRevision {
  readonly commit: string;
  readonly tree: string;
  /** File with the policies of the revision, for `--bundle`. */
  readonly path: string;
}

export interface StateFolder {
  /** @throws locked when another living process has it */
  lock(): Promise<{ release(): Promise<void> }>;
  /** Keeps the files of a revision and makes it the one in force. Resolves with the bundle's path. */
  writeBundle(revision: Revision): Promise<string>;
  /** Undefined before the first good revision. */
  readCurrent(): Promise<KnownRevision | undefined>;
  writeStatus(status: LoopStatus): Promise<void>;
  readStatus(): Promise<LoopStatus | undefined>;
}

export function openStateFolder(directory: string): StateFolder {
  const current = join(directory, "current.json");
  const status = join(directory, "status.json");
  return {
    lock: () => takeLock(directory),
    writeBundle: async (revision) => {
      const folder = join(directory, "bundles");
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${revision.commit}.json`);
      const decoder = new TextDecoder();
      const files = revision.files.map((f) => ({ path: f.path, text: decoder.decode(f.bytes) }));
      await writeJson(path, { commit: revision.commit, tree: revision.tree, files });
      await writeJson(current, { commit: revision.commit, tree: revision.tree, path });
      return path;
    },
    readCurrent: () => readJson<KnownRevision>(current),
    writeStatus: (value) => writeJson(status, value),
    readStatus: () => readJson<LoopStatus>(status),
  };
}

interface Holder {
  readonly pid: number;
  readonly start: string;
}

async function takeLock(directory: string): Promise<{ release(): Promise<void> }> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, "reconciler.lock");
  const mine: Holder = { pid: process.pid, start: (await processStart(process.pid)) ?? "" };
  const own = `${path}.${process.pid}`;
  await writeJson(own, mine);
  try {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        await link(own, path);
        return { release: () => rm(path, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = await readJson<Holder>(path);
      if (holder !== undefined && (await processStart(holder.pid)) === holder.start) {
        throw new HoldfastError("locked", `process ${holder.pid} is the reconciler of '${directory}'`, {
          hint: "one state folder has one reconciler; holdfast status shows what it does",
        });
      }
      // Moved away by name first: of two that find it stale only one can succeed.
      await rename(path, `${path}.stale.${process.pid}`).then(
        () => unlink(`${path}.stale.${process.pid}`),
        () => undefined,
      );
    }
    throw new HoldfastError("locked", `the lock of '${directory}' could not be taken`);
  } finally {
    await rm(own, { force: true });
  }
}
