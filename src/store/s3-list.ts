/** Listings of a bucket, page by page, that never just end: a page that contradicts itself is a failure. */
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import { compareKeys } from "./keys.ts";
import type { S3Connection } from "./s3-connection.ts";
import { bareEtag } from "./s3-write.ts";
import type { ObjectInfo, UnfinishedUpload } from "./store.ts";

/** Servers over a tree of folders list `a/x` before `a.b`: their order is by path parts. */
function compareParts(a: string, b: string): number {
  return compareKeys(a.replaceAll("/", "\0"), b.replaceAll("/", "\0"));
}

/** The keys so far come in key order or in the order of a tree; a listing that goes back in both is broken. */
class OrderCheck {
  #last: string | undefined;
  #byKey = true;
  #byParts = true;

  /** False when `key` cannot follow what came before. */
  follows(key: string): boolean {
    if (this.#last !== undefined) {
      this.#byKey &&= compareKeys(key, this.#last) > 0;
      this.#byParts &&= compareParts(key, this.#last) > 0;
    }
    this.#last = key;
    return this.#byKey || this.#byParts;
  }
}

/**
 * Gives key order to a listing in tree order. What lies in the folder `a/` waits until the names that begin
 * with `a` are over, since `a.b` may still come. Objects directly below the prefix never wait.
 */
class Reorder {
  readonly #from: number;
  #folder: string | undefined;
  #held: ObjectInfo[] = [];

  constructor(prefix: string) {
    this.#from = prefix.lastIndexOf("/") + 1;
  }

  /** What can be given out now that `info` has come. */
  take(info: ObjectInfo): readonly ObjectInfo[] {
    const slash = info.key.indexOf("/", this.#from);
    const held = this.#folder !== undefined && info.key.startsWith(this.#folder);
    const out = held ? [] : this.rest();
    if (!held && slash < 0) return [...out, info];
    this.#folder ??= info.key.slice(0, slash);
    this.#held.push(info);
    return out;
  }

  rest(): readonly ObjectInfo[] {
    const out = this.#held.sort((a, b) => compareKeys(a.key, b.key));
    this.#held = [];
    this.#folder = undefined;
    return out;
  }
}

/**
 * A key to start after that skips nothing behind `after` in either order: cut before the first character
 * that sorts below the slash, and one character shorter, because a server over folders that is told to
 * start after `a` leaves out all of `a/`. Undefined where that leaves no more than the prefix.
 */
function safeStart(prefix: string, after: string): string | undefined {
  const from = prefix.lastIndexOf("/") + 1;
  if (!after.startsWith(prefix.slice(0, from))) return undefined;
  const cut = after.slice(from).search(/[\x20-\x2e]/);
  let start = cut < 0 ? after : after.slice(0, from + cut);
  do start = start.replace(/\/+$/, "").slice(0, -1);
  while (start.endsWith("/"));
  return start.length > prefix.length ? start : undefined;
}

/** @throws store-failed when a page leaves the prefix, goes back, or is cut without saying where to go on. */
export async function* listObjects(
  connection: S3Connection,
  prefix: string,
  after: string,
): AsyncGenerator<ObjectInfo> {
  const wrong = (what: string) =>
    new HoldfastError("store-failed", `store '${connection.settings.name}': listing '${prefix}': ${what}`, {
      hint: "the listing cannot be trusted, so nothing was decided on it",
    });
  let token: string | undefined;
  const order = new OrderCheck();
  const reorder = new Reorder(prefix);
  const start = safeStart(prefix, after);
  const wanted = (infos: readonly ObjectInfo[]) => infos.filter((info) => compareKeys(info.key, after) > 0);
  for (;;) {
    const page = await connection.control(`listing '${prefix}'`, (sdk, client) =>
      client.send(
        new sdk.ListObjectsV2Command({
          Bucket: connection.bucket,
          Prefix: prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
          ...(start === undefined || token !== undefined ? {} : { StartAfter: start }),
        }),
        connection.sending,
      ),
    );
    // A list answer always says whether it is the whole; one that does not is no list answer.
    if (page.IsTruncated === undefined) throw wrong("the page does not say whether more follow");
    for (const entry of page.Contents ?? []) {
      const key = entry.Key ?? "";
      if (!key.startsWith(prefix)) throw wrong(`'${key}' is outside the prefix`);
      if (!order.follows(key)) throw wrong(`'${key}' is out of order`);
      if (entry.Size === undefined || entry.LastModified === undefined)
        throw wrong(`'${key}' has no size or no date`);
      const info = {
        key,
        sizeBytes: entry.Size,
        modifiedAt: instant(entry.LastModified.getTime()),
        etag: bareEtag(entry.ETag),
      };
      yield* wanted(reorder.take(info));
    }
    if (!page.IsTruncated) {
      yield* wanted(reorder.rest());
      return;
    }
    const next = page.NextContinuationToken;
    if (next === undefined || next === "" || next === token)
      throw wrong("the page is cut and names no next one");
    token = next;
  }
}

/** See `Store.unfinishedUploads`. */
export async function listUploads(
  connection: S3Connection,
  prefix: string,
): Promise<readonly UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  let keyMarker: string | undefined;
  let uploadIdMarker: string | undefined;
  for (;;) {
    const page = await connection.control(`listing unfinished uploads below '${prefix}'`, (sdk, client) =>
      client.send(
        new sdk.ListMultipartUploadsCommand({
          Bucket: connection.bucket,
          Prefix: prefix,
          ...(keyMarker === undefined ? {} : { KeyMarker: keyMarker }),
          ...(uploadIdMarker === undefined ? {} : { UploadIdMarker: uploadIdMarker }),
        }),
        connection.sending,
      ),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || !Key.startsWith(prefix)) continue;
      found.push({ key: Key, uploadId: UploadId, startedAt: instant(Initiated?.getTime() ?? Date.now()) });
    }
    if (page.IsTruncated !== true) return found;
    if (
      page.NextKeyMarker === undefined ||
      (page.NextKeyMarker === keyMarker && page.NextUploadIdMarker === uploadIdMarker)
    )
      throw new HoldfastError(
        "store-failed",
        `the list of unfinished uploads below '${prefix}' has no next page`,
      );
    keyMarker = page.NextKeyMarker;
    uploadIdMarker = page.NextUploadIdMarker;
  }
}
