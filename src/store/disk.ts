/** The few file-system steps a folder store is made of, each with its errors turned into the store's codes. */
import { randomUUID } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import { compareKeys } from "./keys.ts";
import type { ObjectInfo } from "./store.ts";

/** What a listing says of a file; the etag changes whenever the file does. */
export function infoOf(key: string, stats: BigIntStats): ObjectInfo {
  return {
    key,
    sizeBytes: Number(stats.size),
    modifiedAt: instant(Number(stats.mtimeMs)),
    etag: `${stats.mtimeNs.toString(16)}-${stats.size.toString(16)}-${stats.ino.toString(16)}`,
  };
}

/** The `code` of a system error, or an empty text. */
export function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** `error` as the store reports it: full, denied, or failed with the system's own message as cause. */
export function diskError(error: unknown, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
    return new HoldfastError("store-full", `${doing}: no space left (${code})`, { cause: error });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new HoldfastError("store-denied", `${doing}: not permitted (${code})`, {
      hint: "check the folder's owner and mode",
      cause: error,
    });
  if (code === "EISDIR" || code === "ENOTDIR" || code === "ENOTEMPTY" || code === "EEXIST")
    return new HoldfastError("store-failed", `${doing}: one key is the folder of another (${code})`, {
      hint: "a folder store cannot hold both 'a' and 'a/b'",
      cause: error,
    });
  return new HoldfastError("store-failed", `${doing}: ${code || String(error)}`, { cause: error });
}

/** What lies in `folder` (empty, or ending with "/") below `root`, as keys in their order; those of folders end with "/". */
export async function entriesOf(
  root: string,
  folder: string,
): Promise<readonly { readonly key: string; readonly folder: boolean }[]> {
  const found = await readdir(join(root, folder), { withFileTypes: true });
  return found
    .map((entry) => {
      const isFolder = entry.isDirectory();
      if (!entry.isFile() && !isFolder)
        throw new HoldfastError("store-failed", `'${folder}${entry.name}' is neither a file nor a folder`);
      return { key: `${folder}${entry.name}${isFolder ? "/" : ""}`, folder: isFolder };
    })
    .sort((a, b) => compareKeys(a.key, b.key));
}

/** A new name in `folder` is on the disk and not only in memory. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse to sync a folder; their own close-to-open rules hold then.
    if (systemCode(error) !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}

/** The files at `paths`, and each folder from theirs up to `root`, are on the disk and not only in memory. */
export async function syncFiles(root: string, paths: readonly string[]): Promise<void> {
  const folders = new Set([root]);
  for (const path of paths) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    for (let folder = dirname(path); !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  }
  for (const folder of folders) await syncFolder(folder);
}

/** `folder` and all its parents below `root` exist and are on the disk. */
export async function makeFolders(root: string, folder: string, attempts = 20): Promise<void> {
  if (folder === root || folder === dirname(folder)) return;
  try {
    await mkdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") {
      if ((await stat(folder)).isDirectory()) return;
      throw error;
    }
    if (code !== "ENOENT" || dirname(folder) === root || attempts === 0) throw error;
    await makeFolders(root, dirname(folder), attempts - 1);
    // Again from the start: a concurrent removal may have taken the still empty parent away.
    return makeFolders(root, folder, attempts - 1);
  }
  await syncFolder(dirname(folder));
}

/**
 * `folder`, which is new, and all above it exist. They are not synced: what lies there may go with a crash. Node's
 * recursive call says of a read-only disk that nothing is there; the plain one for the first of them tells the truth.
 */
export async function makePassingFolder(root: string, folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    const names = relative(root, folder).split(sep);
    for (const count of [1, 2]) await mkdir(join(root, ...names.slice(0, count))).catch(unlessThere);
    await mkdir(folder, { recursive: true });
  }
}

function unlessThere(error: unknown): void {
  if (systemCode(error) !== "EEXIST") throw error;
}

/** Empty folders from `folder` up to, and without, `root` are gone. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let current = folder; current !== root && current.startsWith(`${root}/`); current = dirname(current)) {
    try {
      await rmdir(current);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") return;
    }
  }
}

/** All of `bytes` is in the file; a short write (a disk that fills) is continued until it succeeds or throws. */
export async function writeWhole(handle: Pick<FileHandle, "write">, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done);
    done += bytesWritten;
  }
}

const staleLockMs = 30_000;

/** A lock outlives a killed process by half a minute; what it guards takes milliseconds. */
async function breakStaleLock(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs < staleLockMs) return;
    // Renamed first, so that of two that find it stale only one takes it away.
    const aside = `${path}.${randomUUID()}`;
    await rename(path, aside);
    await unlink(aside);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Runs `act` while no other process on this file system runs one under the same `name`. */
export async function withLockFile<T>(folder: string, name: string, act: () => Promise<T>): Promise<T> {
  const path = join(folder, name);
  for (;;) {
    try {
      await (await open(path, "wx")).close();
      break;
    } catch (error) {
      if (systemCode(error) === "ENOENT") await mkdir(folder, { recursive: true });
      else if (systemCode(error) === "EEXIST") {
        await breakStaleLock(path);
        await sleep(2 + Math.random() * 8);
      } else throw error;
    }
  }
  try {
    return await act();
  } finally {
    await unlink(path).catch(() => {});
  }
}

/** Fails the stream when the file ends before `sizeBytes`: a file cut while it is read must not look whole. */
export async function* exactly(source: Readable, sizeBytes: number, key: string): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const chunk of source) {
    seen += (chunk as Uint8Array).byteLength;
    yield chunk as Uint8Array;
  }
  if (seen !== sizeBytes)
    throw new HoldfastError("store-failed", `'${key}' ended after ${seen} of ${sizeBytes} bytes`);
}
