/**
 * The reconciler's own folder on one machine: which revision is in force, what the loop has said last, and a
 * lock so that one folder has one reconciler. Files are written whole; `kill -9` leaves the old or the new.
 */
import { createHash } from "node:crypto";
import { mkdir, realpath, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { HoldfastError } from "../errors.ts";
import { readJson, writeJson } from "../json-file.ts";
import type { Revision } from "../source/source.ts";
import type { Looks } from "../state/coverage.ts";
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
  /** Keeps the files of a revision. Resolves with the bundle's path. */
  writeBundle(revision: Revision): Promise<string>;
  /** Makes the revision the one that the next start goes on with; call it once it is really in use. */
  setCurrent(revision: Pick<Revision, "commit" | "tree">, path: string): Promise<void>;
  /** Undefined before the first good revision. */
  readCurrent(): Promise<KnownRevision | undefined>;
  writeStatus(status: LoopStatus): Promise<void>;
  readStatus(): Promise<LoopStatus | undefined>;
  /** The last look at what the sources hold, kept for the verbs that do not look themselves. */
  writeLooks(looks: Looks): Promise<void>;
  readLooks(): Promise<Looks | undefined>;
}

export function openStateFolder(directory: string): StateFolder {
  const current = join(directory, "current.json");
  const status = join(directory, "status.json");
  const looks = join(directory, "looks.json");
  return {
    lock: () => takeLock(directory),
    writeBundle: async (revision) => {
      const folder = join(directory, "bundles");
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${revision.commit}.json`);
      const decoder = new TextDecoder();
      const files = revision.files.map((f) => ({ path: f.path, text: decoder.decode(f.bytes) }));
      await writeJson(path, { commit: revision.commit, tree: revision.tree, files });
      return path;
    },
    setCurrent: ({ commit, tree }, path) => writeJson(current, { commit, tree, path }),
    readCurrent: () => readJson<KnownRevision>(current),
    writeStatus: (value) => writeJson(status, value),
    readStatus: () => readJson<LoopStatus>(status),
    writeLooks: (value) => writeJson(looks, value),
    readLooks: () => readJson<Looks>(looks),
  };
}

interface Holder {
  readonly pid: number;
  readonly since: string;
}

/**
 * The lock is a name in the kernel, bound by a socket nobody talks to: it is taken by one process at a time
 * and goes with it, `kill -9` included, so there is no stale lock to be judged and none to be stolen. The file
 * beside it is for the message only.
 */
async function takeLock(directory: string): Promise<{ release(): Promise<void> }> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, "reconciler.json");
  const name = createHash("sha256")
    .update(await realpath(directory))
    .digest("hex");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // A leading NUL makes a name without a file.
    server.listen(`\0holdfast-${name}`, resolve);
  }).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause;
    const holder = await readJson<Holder>(path);
    const who = holder === undefined ? "another process" : `process ${holder.pid}, since ${holder.since},`;
    throw new HoldfastError("locked", `${who} is the reconciler of '${directory}'`, {
      hint: "one state folder has one reconciler; holdfast status shows what it does",
    });
  });
  server.unref();
  const holder: Holder = { pid: process.pid, since: new Date().toISOString() };
  // Without the file the lock holds all the same.
  await writeJson(path, holder).catch(() => undefined);
  return {
    release: async () => {
      await rm(path, { force: true });
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
