/** A store in memory, held to the same conformance suite as the real ones. */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { instant } from "../../src/catalogue/instant.ts";
import { HoldfastError } from "../../src/errors.ts";
import { checkKey, checkPrefix, compareKeys } from "../../src/store/keys.ts";
import type { ObjectInfo, PutOptions, Store, UnfinishedUpload } from "../../src/store/store.ts";

/** An empty store; `nowMs` is its clock. Chunks are copied when they are taken. */
export function openMemoryStore(name: string, nowMs: () => number = Date.now): Store {
  const objects = new Map<string, { bytes: Uint8Array; info: ObjectInfo }>();
  const uploads = new Map<string, UnfinishedUpload>();
  let version = 0;

  const keep = (key: string, bytes: Uint8Array, options: PutOptions): ObjectInfo => {
    const there = objects.get(checkKey(key));
    if (options.ifAbsent === true && there !== undefined)
      throw new HoldfastError("object-exists", `'${key}' is already there`);
    if (options.ifMatch !== undefined && there?.info.etag !== options.ifMatch)
      throw new HoldfastError("object-exists", `'${key}' has changed since it was read`);
    version += 1;
    const info = { key, sizeBytes: bytes.byteLength, modifiedAt: instant(nowMs()), etag: `v${version}` };
    objects.set(key, { bytes, info });
    return info;
  };
  const must = (key: string) => {
    const found = objects.get(checkKey(key));
    if (found === undefined) throw new HoldfastError("object-missing", `'${key}' is not in store '${name}'`);
    return found;
  };

  return {
    name,
    abilities: async () => ({ ifAbsent: true, ifMatch: true, versioning: false, objectLock: false }),
    put: async (key, bytes, options = {}) => keep(key, Uint8Array.from(bytes), options),
    upload: (key, options = {}) => {
      const uploadId = randomUUID();
      const chunks: Uint8Array[] = [];
      uploads.set(uploadId, { key: checkKey(key), uploadId, startedAt: instant(nowMs()) });
      return {
        write: async (chunk) => {
          chunks.push(Uint8Array.from(chunk));
        },
        complete: async () => {
          if (!uploads.delete(uploadId))
            throw new HoldfastError("store-failed", `the upload of '${key}' is gone`);
          return keep(key, Buffer.concat(chunks), options);
        },
        abort: async () => {
          uploads.delete(uploadId);
        },
      };
    },
    get: async (key) => {
      const { bytes, info } = must(key);
      return { bytes: Buffer.from(bytes), info };
    },
    read: async (key, fromByte = 0, toByte) => {
      const { bytes } = must(key);
      if (fromByte > bytes.byteLength)
        throw new HoldfastError(
          "store-failed",
          `'${key}' has ${bytes.byteLength} bytes, none at ${fromByte}`,
        );
      const wanted = bytes.subarray(fromByte, toByte);
      return Readable.from(wanted.byteLength === 0 ? [] : [Buffer.from(wanted)], { objectMode: false });
    },
    head: async (key) => objects.get(checkKey(key))?.info,
    list: async function* (prefix, options = {}) {
      checkPrefix(prefix);
      const after = options.after ?? "";
      for (const key of [...objects.keys()].sort(compareKeys)) {
        const found = objects.get(key);
        if (key.startsWith(prefix) && compareKeys(key, after) > 0 && found !== undefined) yield found.info;
      }
    },
    remove: async (keys) => {
      for (const key of keys) objects.delete(checkKey(key));
    },
    unfinishedUploads: async (prefix) =>
      [...uploads.values()].filter((upload) => upload.key.startsWith(prefix)),
    abortUpload: async (upload) => {
      uploads.delete(upload.uploadId);
    },
    objectLock: async () => ({ mode: "none", days: 0 }),
    lockedUntil: async () => undefined,
    settle: async () => {},
    place: (prefix) => ({ kind: "directory", path: `/nowhere/${prefix}` }),
    close: async () => {},
  };
}
