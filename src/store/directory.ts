/**
 * A store in a folder: one file per object, its path the key. A file becomes visible by `link` or `rename`
 * after its bytes are on the disk, so a crash leaves a whole object or none. `.uploads/` holds what is not
 * finished, `.locks/` the locks of replacing writes; neither is ever listed.
 */
import { createHash, randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import type { ToolPlace } from "../catalogue/artifact.ts";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import type { StoreSettings } from "../policy/model.ts";
import { probeConditions } from "./abilities.ts";
import {
  diskError,
  entriesOf,
  exactly,
  infoOf,
  makeFolders,
  removeEmptyFolders,
  syncFiles,
  syncFolder,
  systemCode,
  withLockFile,
} from "./disk.ts";
import { type FlushedFile, newFlushedFile } from "./flushed-file.ts";
import { checkKey, checkPrefix, compareKeys } from "./keys.ts";
import type { ObjectInfo, PutOptions, Store, StoreAbilities, UnfinishedUpload, Upload } from "./store.ts";

const uploadsName = ".uploads";
const locksName = ".locks";
const notOurs = new Set([uploadsName, locksName, "lost+found"]);
const getLimitBytes = 64 * 1024 * 1024;

class DirectoryStore implements Store {
  readonly name: string;
  readonly #root: string;
  #probe: Promise<StoreAbilities> | undefined;

  constructor(settings: StoreSettings) {
    this.name = settings.name;
    this.#root = resolve(settings.path);
  }

  /** Makes the folder itself on first use, but not its parent: a missing parent is a disk that is not mounted. */
  async #ready(): Promise<void> {
    try {
      await mkdir(this.#root);
    } catch (error) {
      if (systemCode(error) === "EEXIST") return;
      if (systemCode(error) === "ENOENT") throw this.#gone();
      // A read-only mount says EROFS for a folder that is there.
      const there = await stat(this.#root).catch(() => undefined);
      if (there?.isDirectory() !== true) throw diskError(error, `store '${this.name}'`);
    }
  }

  #gone(): HoldfastError {
    return new HoldfastError(
      "store-unreachable",
      `store '${this.name}': the folder '${this.#root}' is not there`,
      { hint: "mount the disk or make the folder" },
    );
  }

  #path(key: string): string {
    checkKey(key);
    if (notOurs.has(key.split("/")[0]!))
      throw new HoldfastError("usage", `the object key '${key}' is reserved by folder stores`);
    return join(this.#root, key);
  }

  async #guard<T>(doing: string, act: () => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await act();
    } catch (error) {
      throw diskError(error, `store '${this.name}': ${doing}`);
    }
  }

  #locked<T>(key: string, act: () => Promise<T>): Promise<T> {
    return withLockFile(
      join(this.#root, locksName),
      createHash("sha256").update(key).digest("hex").slice(0, 40),
      act,
    );
  }

  async #statKey(key: string): Promise<BigIntStats | undefined> {
    try {
      const stats = await stat(this.#path(key), { bigint: true });
      return stats.isFile() ? stats : undefined;
    } catch (error) {
      if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }

  abilities(): Promise<StoreAbilities> {
    this.#probe ??= probeConditions(this).then((found) => ({
      ...found,
      versioning: false,
      objectLock: false,
    }));
    this.#probe.catch(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    const upload = this.upload(key, options);
    try {
      await upload.write(bytes);
      return await upload.complete();
    } catch (error) {
      await upload.abort().catch(() => {});
      throw error;
    }
  }

  upload(key: string, options: PutOptions = {}): Upload {
    this.#path(key);
    // The key is repeated below a random name, so that a sweep knows what the file was going to be.
    const uploadId = randomUUID();
    const folder = join(this.#root, uploadsName, uploadId);
    const temporary = join(folder, key);
    let opening: Promise<FlushedFile> | undefined;
    let opened: FlushedFile | undefined;
    const failed = (error: unknown) =>
      Promise.reject(diskError(error, `store '${this.name}': writing '${key}'`));
    let finished = false;
    const handle = () => {
      opening ??= newFlushedFile(this.#root, temporary);
      return opening;
    };
    const discard = async () => {
      finished = true;
      await opening?.then((open) => open.close()).catch(() => {});
      // Gone already where it was renamed.
      await unlink(temporary).catch(() => {});
      await removeEmptyFolders(this.#root, dirname(temporary));
    };
    const open_ = () => {
      if (finished) throw new Error(`the upload of '${key}' is over`);
    };
    return {
      write: (chunk) => {
        open_();
        // The folder was there when the file was opened; looking again costs as much as the write.
        if (opened !== undefined) return opened.write(chunk).catch(failed);
        return this.#guard(`writing '${key}'`, async () => {
          opened = await handle();
          await opened.write(chunk);
        });
      },
      complete: () => {
        open_();
        return this.#guard(`writing '${key}'`, async () => {
          try {
            const file = await handle();
            if (options.transient !== true) await file.sync();
            const info = infoOf(key, await file.stat());
            await this.#publish(temporary, key, options);
            return info;
          } finally {
            await discard();
          }
        });
      },
      abort: () => this.#guard(`aborting '${key}'`, discard),
    };
  }

  /** Tries again when a concurrent removal took the still empty folder away in between. */
  async #publish(temporary: string, key: string, options: PutOptions): Promise<void> {
    const path = this.#path(key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await makeFolders(this.#root, dirname(path));
        if (options.ifAbsent === true) await this.#linkNew(temporary, path, key);
        else await this.#locked(key, () => this.#replace(temporary, path, key, options.ifMatch));
        break;
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || attempt === 20) throw error;
      }
    }
    if (options.transient !== true) await syncFolder(dirname(path));
  }

  async #linkNew(temporary: string, path: string, key: string): Promise<void> {
    try {
      await link(temporary, path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EEXIST") throw new HoldfastError("object-exists", `'${key}' is already there`);
      if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS") throw error;
      // A file system without hard links: the lock gives the same among processes that keep it.
      await this.#locked(key, async () => {
        if ((await this.#statKey(key)) !== undefined)
          throw new HoldfastError("object-exists", `'${key}' is already there`);
        await rename(temporary, path);
      });
    }
  }

  async #replace(temporary: string, path: string, key: string, etag: string | undefined): Promise<void> {
    if (etag !== undefined) {
      const stats = await this.#statKey(key);
      if (stats === undefined || infoOf(key, stats).etag !== etag)
        throw new HoldfastError("object-exists", `'${key}' has changed since it was read`);
    }
    await rename(temporary, path);
  }

  async get(key: string): Promise<{ readonly bytes: Uint8Array; readonly info: ObjectInfo }> {
    return this.#guard(`reading '${key}'`, async () => {
      const { handle, info } = await this.#openKey(key);
      try {
        if (info.sizeBytes > getLimitBytes)
          throw new HoldfastError(
            "store-failed",
            `'${key}' has ${info.sizeBytes} bytes, too many to read whole`,
          );
        const bytes = await handle.readFile();
        return { bytes, info };
      } finally {
        await handle.close();
      }
    });
  }

  async #openKey(key: string): Promise<{ handle: FileHandle; info: ObjectInfo }> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(this.#path(key), "r");
      const stats = await handle.stat({ bigint: true });
      if (stats.isFile()) return { handle, info: infoOf(key, stats) };
    } catch (error) {
      if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
    }
    await handle?.close();
    throw new HoldfastError("object-missing", `'${key}' is not in store '${this.name}'`);
  }

  async read(key: string, fromByte = 0, toByte?: number): Promise<Readable> {
    return this.#guard(`reading '${key}'`, async () => {
      const { handle, info } = await this.#openKey(key);
      const end = Math.min(toByte ?? info.sizeBytes, info.sizeBytes);
      if (fromByte > info.sizeBytes) {
        await handle.close();
        throw new HoldfastError("store-failed", `'${key}' has ${info.sizeBytes} bytes, none at ${fromByte}`);
      }
      if (end <= fromByte) {
        await handle.close();
        return Readable.from([]);
      }
      const source = handle.createReadStream({ start: fromByte, end: end - 1, highWaterMark: 256 * 1024 });
      return Readable.from(exactly(source, end - fromByte, key), {
        objectMode: false,
        highWaterMark: 256 * 1024,
      });
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.#guard(`looking at '${key}'`, async () => {
      const stats = await this.#statKey(key);
      return stats === undefined ? undefined : infoOf(key, stats);
    });
  }

  async *list(prefix: string, options: { readonly after?: string } = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    try {
      await this.#ready();
      const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      yield* this.#walk(folder, prefix, options.after ?? "");
    } catch (error) {
      throw diskError(error, `store '${this.name}': listing '${prefix}'`);
    }
  }

  /** Key order needs folders sorted with their slash: `a.b` comes before `a/b`. */
  async *#walk(folder: string, prefix: string, after: string): AsyncGenerator<ObjectInfo> {
    let entries: readonly { readonly key: string; readonly folder: boolean }[];
    try {
      const found = await entriesOf(this.#root, folder);
      entries = folder === "" ? found.filter(({ key }) => !notOurs.has(key.replace("/", ""))) : found;
    } catch (error) {
      // A folder that went away since its parent was read was emptied; the root itself must be there.
      if (systemCode(error) === "ENOTDIR") return;
      if (systemCode(error) !== "ENOENT") throw error;
      if ((await stat(this.#root).catch(() => undefined)) === undefined) throw this.#gone();
      return;
    }
    for (const entry of entries) {
      if (entry.folder) {
        if (!entry.key.startsWith(prefix) && !prefix.startsWith(entry.key)) continue;
        if (compareKeys(entry.key, after) <= 0 && !after.startsWith(entry.key)) continue;
        yield* this.#walk(entry.key, prefix, after);
      } else if (entry.key.startsWith(prefix) && compareKeys(entry.key, after) > 0) {
        const stats = await this.#statKey(entry.key);
        if (stats !== undefined) yield infoOf(entry.key, stats);
      }
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#guard("removing objects", async () => {
      const folders = new Set<string>();
      for (const key of keys) {
        const path = this.#path(key);
        folders.add(dirname(path));
        await this.#locked(key, () => unlink(path)).catch((error: unknown) => {
          if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
        });
      }
      for (const folder of folders) {
        await syncFolder(folder).catch(() => {});
        await removeEmptyFolders(this.#root, folder);
      }
      await rmdir(join(this.#root, locksName)).catch(() => {});
    });
  }

  async unfinishedUploads(prefix: string): Promise<readonly UnfinishedUpload[]> {
    return this.#guard("listing unfinished uploads", async () => {
      const folder = join(this.#root, uploadsName);
      const found: UnfinishedUpload[] = [];
      for (const uploadId of await readdir(folder).catch(() => [])) {
        const files = await readdir(join(folder, uploadId), { withFileTypes: true, recursive: true }).catch(
          () => [],
        );
        for (const file of files.filter((entry) => entry.isFile())) {
          const path = join(file.parentPath, file.name);
          const key = path.slice(join(folder, uploadId).length + 1);
          const stats = await stat(path).catch(() => undefined);
          if (stats !== undefined && key.startsWith(prefix))
            found.push({ key, uploadId, startedAt: instant(stats.birthtimeMs || stats.mtimeMs) });
        }
      }
      return found.sort((a, b) => compareKeys(a.key, b.key));
    });
  }

  async abortUpload(upload: UnfinishedUpload): Promise<void> {
    if (!/^[0-9a-f-]{36}$/.test(upload.uploadId))
      throw new HoldfastError("usage", `'${upload.uploadId}' is not the id of an upload`);
    await this.#guard(`aborting '${upload.key}'`, async () => {
      await rm(join(this.#root, uploadsName, upload.uploadId), { recursive: true, force: true });
      await rmdir(join(this.#root, uploadsName)).catch(() => {});
    });
  }

  objectLock = async () => ({ mode: "none", days: 0 }) as const;

  async lockedUntil(): Promise<undefined> {
    return undefined;
  }

  place(prefix: string): ToolPlace {
    return { kind: "directory", path: join(this.#root, checkPrefix(prefix)) };
  }

  settle(keys: readonly string[]): Promise<void> {
    const paths = keys.map((key) => this.#path(key));
    return this.#guard("syncing what another program wrote", () => syncFiles(this.#root, paths));
  }

  async close(): Promise<void> {}
}

/**
 * A store over the folder `settings.path`, which is made when only itself is missing.
 * @throws nothing; a folder that cannot be used shows at the first call.
 */
export function openDirectoryStore(settings: StoreSettings): Store {
  return new DirectoryStore(settings);
}
