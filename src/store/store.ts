/** The contract every store keeps; `test/conformance/store.ts` holds each implementation to it. */
import type { Readable } from "node:stream";
import type { ToolPlace } from "../catalogue/artifact.ts";
import type { Instant } from "../catalogue/instant.ts";

/** What this server was found to honour, by trying and not by asking. */
export interface StoreAbilities {
  /** A put with `ifAbsent` fails when the key is there. */
  readonly ifAbsent: boolean;
  /** A put with `ifMatch` fails when the object has changed. */
  readonly ifMatch: boolean;
  readonly versioning: boolean;
  readonly objectLock: boolean;
}

/** Protection every new object gets: nobody removes its bytes for so many days. */
export interface DefaultLock {
  readonly mode: "none" | "governance" | "compliance";
  readonly days: number;
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** The store's own clock. */
  readonly modifiedAt: Instant;
  /** Opaque; equal while the object is unchanged. */
  readonly etag: string;
}

export interface PutOptions {
  readonly ifAbsent?: boolean;
  readonly ifMatch?: string;
  /** Means nothing once the machine has stopped: a store that has the choice does not wait for the disk. */
  readonly transient?: boolean;
}

/**
 * An object in the making. Nothing is visible under the key before `complete` resolves, and nothing is left
 * behind after `abort`.
 */
export interface Upload {
  /** Takes ownership of `chunk` until it resolves; resolves when more can be taken. */
  write(chunk: Uint8Array): Promise<void>;
  /** @throws object-exists with `ifAbsent` when the key was taken meanwhile. */
  complete(): Promise<ObjectInfo>;
  abort(): Promise<void>;
}

export interface UnfinishedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAt: Instant;
}

/**
 * Keys are relative to the bucket or folder. Every method can throw store-unreachable, store-denied,
 * store-full or store-failed; transient failures have been retried before they are thrown.
 */
export interface Store {
  readonly name: string;
  /** Tries conditional writes on a scratch key that it removes again. Cached. */
  abilities(): Promise<StoreAbilities>;
  /** Whole small object. @throws object-exists when a precondition fails. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  upload(key: string, options?: PutOptions): Upload;
  /** Small object, at most 64 MiB. @throws object-missing */
  get(key: string): Promise<{ readonly bytes: Uint8Array; readonly info: ObjectInfo }>;
  /** The bytes from `fromByte` to before `toByte`, as the server sends them; a cut connection is an error event. @throws object-missing */
  read(key: string, fromByte?: number, toByte?: number): Promise<Readable>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** In key order, page by page. A listing that breaks off throws; it never just ends. */
  list(prefix: string, options?: { readonly after?: string }): AsyncIterable<ObjectInfo>;
  /** Exact keys; a missing one is fine. Resolves when all are gone. @throws store-denied under object lock */
  remove(keys: readonly string[]): Promise<void>;
  unfinishedUploads(prefix: string): Promise<readonly UnfinishedUpload[]>;
  abortUpload(upload: UnfinishedUpload): Promise<void>;
  /** How the store locks what is put into it, unasked; undefined where this identity may not know. Cached. */
  objectLock(): Promise<DefaultLock | undefined>;
  /** Object lock in force for this key, or undefined. */
  lockedUntil(key: string): Promise<Instant | undefined>;
  /** What another program has put under `keys` by way of `place` survives a crash of the machine, as what `put` wrote. */
  settle(keys: readonly string[]): Promise<void>;
  /** Where another program finds the keys under `prefix`, with the rights of this store's role; nothing is made. */
  place(prefix: string): ToolPlace;
  close(): Promise<void>;
}
