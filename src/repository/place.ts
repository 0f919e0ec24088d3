/**
 * Makes an artifact of what a tool has left in its place: each object is read back once, hashed, and settled. Large
 * ones are read while the tool still writes, as far as they have come, so that little is left to read at its end.
 */
import { createHash, type Hash } from "node:crypto";
import type { Progress } from "../catalogue/artifact.ts";
import type { Artifact, StoredObject } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { compareKeys } from "../store/keys.ts";
import type { ObjectInfo, Store } from "../store/store.ts";
import type { Clock } from "../time/clock.ts";
import { together } from "../together.ts";
import { sha256 } from "./canonical.ts";

const parallelReads = 4;
/** Objects that are read ahead: each keeps a hash in memory, and small ones are read fast enough at the end. */
const aheadLeastBytes = 1024 * 1024;
const aheadMost = 64;
/** Between two looks at the place: a share of the time since the first one, for a listing is a request. */
const lookShare = 0.05;
const shortestPauseMs = 25;
const longestPauseMs = 10_000;

/** As far as one object has been read. */
interface Reading {
  readonly hash: Hash;
  readBytes: number;
  etag: string;
}

export interface PlaceReader {
  /** Reads what is there so far until `signal` aborts; never throws, for nothing of it counts before `finish`. */
  follow(signal: AbortSignal): Promise<void>;
  /**
   * The store's own listing and bytes count, never a size the tool declares; the tool must have ended.
   * @throws empty-backup when nothing lies there; data-damaged when an object changes while it is read
   */
  finish(): Promise<Artifact>;
}

/** @param place beginning of the keys, ends with "/" */
export function openPlaceReader(
  store: Store,
  clock: Clock,
  name: string,
  place: string,
  onProgress: (progress: Progress) => void,
): PlaceReader {
  const ahead = new Map<string, Reading>();
  // A file grows under its key; an object of a bucket is there whole, and another one when its etag is another.
  const grows = store.place(place).kind === "directory";
  const goesOn = (reading: Reading, info: ObjectInfo): boolean =>
    grows ? reading.readBytes <= info.sizeBytes : reading.etag === info.etag;

  const readOn = async (info: ObjectInfo, reading: Reading, signal?: AbortSignal): Promise<void> => {
    reading.etag = info.etag;
    if (reading.readBytes === info.sizeBytes) return;
    for await (const chunk of await store.read(info.key, reading.readBytes, info.sizeBytes)) {
      reading.hash.update(chunk as Buffer);
      reading.readBytes += (chunk as Buffer).length;
      if (signal?.aborted === true) return;
    }
  };
  const readingOf = (info: ObjectInfo): Reading => {
    const known = ahead.get(info.key);
    if (known !== undefined && goesOn(known, info)) return known;
    return { hash: createHash("sha256"), readBytes: 0, etag: info.etag };
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    const begunMs = clock.nowMs();
    try {
      while (!signal.aborted) {
        for await (const info of store.list(place)) {
          if (signal.aborted) return;
          if (info.sizeBytes < aheadLeastBytes || (ahead.size >= aheadMost && !ahead.has(info.key))) continue;
          const reading = readingOf(info);
          ahead.set(info.key, reading);
          await readOn(info, reading, signal);
        }
        const share = (clock.nowMs() - begunMs) * lookShare;
        await clock.wait(Math.min(Math.max(share, shortestPauseMs), longestPauseMs), signal);
      }
    } catch {
      // Whatever is wrong shows at the end, when everything has to be there.
    }
  };

  const finish = async (): Promise<Artifact> => {
    const found: ObjectInfo[] = [];
    for await (const info of store.list(place)) found.push(info);
    if (found.length === 0)
      throw new HoldfastError("empty-backup", `the tool has left nothing in '${place}'`);
    const totalBytes = found.reduce((sum, o) => sum + o.sizeBytes, 0);
    const objects: StoredObject[] = [];
    let doneBytes = 0;
    const queue = found.values();
    const worker = async (): Promise<void> => {
      for (const info of queue) {
        const { key, sizeBytes } = info;
        const reading = readingOf(info);
        await readOn(info, reading);
        if (reading.readBytes !== sizeBytes)
          throw new HoldfastError(
            "data-damaged",
            `object '${key}' was listed with ${sizeBytes} bytes and ${reading.readBytes} were read`,
          );
        doneBytes += sizeBytes;
        onProgress({ step: `reading back ${name}`, doneBytes, totalBytes });
        objects.push({ key, sizeBytes, sha256: reading.hash.digest("hex") });
      }
    };
    // The disk is busy with the one and a core with the other.
    await together(new AbortController().signal, [
      () => store.settle(found.map(({ key }) => key)),
      ...Array.from({ length: parallelReads }, () => worker),
    ]);
    objects.sort((a, b) => compareKeys(a.key, b.key));
    const lines = objects.map((o) => `${o.sha256}  ${o.key.slice(place.length)}\n`);
    return {
      name,
      codec: "none",
      carried: true,
      objects,
      plainSha256: sha256(Buffer.from(lines.join(""))),
      plainSizeBytes: totalBytes,
    };
  };
  return { follow, finish };
}

/** One object of a carried artifact, checked against its hash. @throws data-damaged, object-missing */
export async function carriedBytes(store: Store, artifact: Artifact, key: string): Promise<Uint8Array> {
  const object = artifact.objects.find((o) => o.key === key);
  if (object === undefined)
    throw new HoldfastError("object-missing", `artifact '${artifact.name}' has no object '${key}'`);
  const { bytes } = await store.get(key);
  if (bytes.length !== object.sizeBytes || sha256(bytes) !== object.sha256)
    throw new HoldfastError("data-damaged", `object '${key}': its hash is not the one in the manifest`);
  return bytes;
}
