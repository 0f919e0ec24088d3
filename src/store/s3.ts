/**
 * A store in an S3 bucket. The SDK signs and does the control requests; object bytes go by a plain client.
 * What a server honours is tried and not assumed, since several ignore conditions without a word.
 */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { ToolPlace } from "../catalogue/artifact.ts";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import type { StoreSettings } from "../policy/model.ts";
import type { StoreRole } from "../policy/store-credentials.ts";
import { probeConditions, probePrefix } from "./abilities.ts";
import { checkKey, checkPrefix } from "./keys.ts";
import { S3Connection, type S3Credentials, type S3Options } from "./s3-connection.ts";
import { failureOf, S3Failure } from "./s3-failure.ts";
import { listObjects, listUploads } from "./s3-list.ts";
import { readDefaultLock } from "./s3-lock.ts";
import { getObject, readObject } from "./s3-read.ts";
import { removeObjects } from "./s3-remove.ts";
import { abortMultipart, PartBuffers, S3Upload } from "./s3-upload.ts";
import { bareEtag, type Conditions, conditionsOf, putWhole } from "./s3-write.ts";
import type {
  DefaultLock,
  ObjectInfo,
  PutOptions,
  Store,
  StoreAbilities,
  UnfinishedUpload,
  Upload,
} from "./store.ts";

export type { S3Credentials, S3Options } from "./s3-connection.ts";

/** A legal hold has no end. */
const heldForEver = "9999-12-31T23:59:59.999Z";

class S3Store implements Store {
  readonly name: string;
  readonly #connection: S3Connection;
  readonly #buffers = new PartBuffers();
  #conditions: Promise<{ readonly ifAbsent: boolean; readonly ifMatch: boolean }> | undefined;
  #completion: Promise<boolean> | undefined;
  #abilities: Promise<StoreAbilities> | undefined;
  #lock: Promise<DefaultLock | undefined> | undefined;

  constructor(connection: S3Connection) {
    this.name = connection.settings.name;
    this.#connection = connection;
  }

  /** Conditions of plain puts. A failed probe is forgotten, so that the next call tries again. */
  #honoured(): Promise<{ readonly ifAbsent: boolean; readonly ifMatch: boolean }> {
    this.#conditions ??= probeConditions({
      put: (key, bytes, options) => putWhole(this.#connection, key, bytes, conditionsOf(options ?? {})),
      // A writer may have no right to remove; the scratch object then stays below its own prefix.
      remove: (keys) =>
        removeObjects(this.#connection, keys).catch((error: unknown) => {
          if (!(error instanceof HoldfastError) || error.code !== "store-denied") throw error;
        }),
    }).catch((error: unknown) => {
      this.#conditions = undefined;
      throw error;
    });
    return this.#conditions;
  }

  /** Some servers honour conditions on a put and ignore them where an upload is completed. */
  #honouredAtCompletion(): Promise<boolean> {
    this.#completion ??= this.#probeCompletion().catch((error: unknown) => {
      this.#completion = undefined;
      throw error;
    });
    return this.#completion;
  }

  async #probeCompletion(): Promise<boolean> {
    const connection = this.#connection;
    const key = `${probePrefix}${randomUUID()}`;
    const target = { Bucket: connection.bucket, Key: key };
    await putWhole(connection, key, Buffer.from("one"), {});
    try {
      const uploadId = await connection.control("trying conditions", async (sdk, client) => {
        const begun = await client.send(new sdk.CreateMultipartUploadCommand(target), connection.sending);
        const UploadId = begun.UploadId ?? "";
        const part = await client.send(
          new sdk.UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: Buffer.from("two") }),
          connection.sending,
        );
        try {
          await client.send(
            new sdk.CompleteMultipartUploadCommand({
              ...target,
              UploadId,
              MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
              IfNoneMatch: "*",
            }),
            connection.sending,
          );
          return undefined;
        } catch (error) {
          const failure = failureOf(error);
          if (failure instanceof S3Failure && failure.status === 412) return UploadId;
          await abortMultipart(connection, key, UploadId).catch(() => {});
          if (failure instanceof S3Failure && [400, 501].includes(failure.status)) return undefined;
          throw failure;
        }
      });
      if (uploadId !== undefined) await abortMultipart(connection, key, uploadId);
      return uploadId !== undefined;
    } finally {
      await removeObjects(connection, [key]).catch(() => {});
    }
  }

  /**
   * The conditions the server will check itself. Where it honours none, they are looked at here, just before
   * the write: two writers in the same moment can then both succeed, and `abilities` says so.
   */
  async #settle(key: string, options: PutOptions, multipart: boolean): Promise<Conditions> {
    const wanted = conditionsOf(options);
    if (options.ifAbsent !== true && options.ifMatch === undefined) return wanted;
    const found = await this.#honoured();
    const honoured = options.ifAbsent === true ? found.ifAbsent : found.ifMatch;
    if (honoured && (!multipart || (await this.#honouredAtCompletion()))) return wanted;
    const there = await this.head(key);
    if (options.ifAbsent === true ? there !== undefined : there?.etag !== options.ifMatch)
      throw new HoldfastError(
        "object-exists",
        options.ifAbsent === true ? `'${key}' is already there` : `'${key}' has changed since it was read`,
      );
    return {};
  }

  abilities(): Promise<StoreAbilities> {
    this.#abilities ??= this.#findAbilities().catch((error: unknown) => {
      this.#abilities = undefined;
      throw error;
    });
    return this.#abilities;
  }

  async #findAbilities(): Promise<StoreAbilities> {
    const bucket = { Bucket: this.#connection.bucket };
    // Not every identity may ask, and not every server knows the question: both mean no.
    const versioning = await this.#connection
      .control("asking for versioning", (sdk, client) =>
        client.send(new sdk.GetBucketVersioningCommand(bucket)),
      )
      .then((answer) => answer.Status === "Enabled")
      .catch(unlessUnreachable);
    const objectLock = await this.#connection
      .control("asking for object lock", (sdk, client) =>
        client.send(new sdk.GetObjectLockConfigurationCommand(bucket)),
      )
      .then((answer) => answer.ObjectLockConfiguration?.ObjectLockEnabled === "Enabled")
      .catch(unlessUnreachable);
    return { ...(await this.#honoured()), versioning, objectLock };
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    return putWhole(this.#connection, key, bytes, await this.#settle(key, options, false));
  }

  upload(key: string, options: PutOptions = {}): Upload {
    checkKey(key);
    return new S3Upload(this.#connection, this.#buffers, key, (multipart) =>
      this.#settle(key, options, multipart),
    );
  }

  async get(key: string): Promise<{ readonly bytes: Uint8Array; readonly info: ObjectInfo }> {
    return getObject(this.#connection, checkKey(key));
  }

  async read(key: string, fromByte = 0, toByte?: number): Promise<Readable> {
    checkKey(key);
    return readObject(this.#connection, key, fromByte, toByte, async () => (await this.head(key))?.sizeBytes);
  }

  async #headFull(key: string) {
    return this.#connection.control(`looking at '${checkKey(key)}'`, async (sdk, client) => {
      try {
        const command = new sdk.HeadObjectCommand({ Bucket: this.#connection.bucket, Key: key });
        return await client.send(command, this.#connection.sending);
      } catch (error) {
        const failure = failureOf(error);
        if (!(failure instanceof S3Failure) || failure.status !== 404) throw failure;
      }
      // A head has no body, so a missing bucket looks like a missing object; deletions hang on the difference.
      await client
        .send(new sdk.HeadBucketCommand({ Bucket: this.#connection.bucket }))
        .catch((error: unknown) => {
          const failure = failureOf(error);
          if (failure instanceof S3Failure && failure.status === 403) return;
          if (failure instanceof S3Failure && failure.status === 404)
            throw new S3Failure(
              404,
              "NoSuchBucket",
              `the bucket '${this.#connection.bucket}' does not exist`,
            );
          throw failure;
        });
      return undefined;
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const found = await this.#headFull(key);
    if (found === undefined) return undefined;
    if (found.ContentLength === undefined || found.LastModified === undefined)
      throw new HoldfastError("store-failed", `store '${this.name}': '${key}' has no size or no date`);
    return {
      key,
      sizeBytes: found.ContentLength,
      modifiedAt: instant(found.LastModified.getTime()),
      etag: bareEtag(found.ETag),
    };
  }

  list(prefix: string, options: { readonly after?: string } = {}): AsyncIterable<ObjectInfo> {
    return listObjects(this.#connection, checkPrefix(prefix), options.after ?? "");
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key);
    await removeObjects(this.#connection, keys);
  }

  async unfinishedUploads(prefix: string): Promise<readonly UnfinishedUpload[]> {
    return listUploads(this.#connection, checkPrefix(prefix));
  }

  async abortUpload(upload: UnfinishedUpload): Promise<void> {
    await abortMultipart(this.#connection, checkKey(upload.key), upload.uploadId);
  }

  objectLock(): Promise<DefaultLock | undefined> {
    this.#lock ??= readDefaultLock(this.#connection).catch((error: unknown) => {
      this.#lock = undefined;
      throw error;
    });
    return this.#lock;
  }

  async lockedUntil(key: string): Promise<string | undefined> {
    const found = await this.#headFull(key);
    if (found?.ObjectLockLegalHoldStatus === "ON") return heldForEver;
    if (found === undefined) return undefined;
    // Some servers apply the bucket's default when somebody deletes, and write it on no object (versitygw 1.8).
    const days = (await this.objectLock())?.days ?? 0;
    const byDefaultMs = days > 0 ? (found.LastModified?.getTime() ?? 0) + days * 86_400_000 : 0;
    const untilMs = Math.max(found.ObjectLockRetainUntilDate?.getTime() ?? 0, byDefaultMs);
    return untilMs <= Date.now() ? undefined : instant(untilMs);
  }

  /** A server that has answered a PUT keeps it. */
  async settle(): Promise<void> {}

  place(prefix: string): ToolPlace {
    return this.#connection.place(checkPrefix(prefix));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

function unlessUnreachable(error: unknown): false {
  if (error instanceof HoldfastError && error.code === "store-unreachable") throw error;
  return false;
}

/**
 * A store over `settings.bucket`; nothing is contacted before the first call. `role` says which set
 * of rights `credentials` are; the server alone decides what they may do.
 */
export function openS3Store(
  settings: StoreSettings,
  _role: StoreRole,
  credentials: S3Credentials,
  options: S3Options = {},
): Store {
  return new S3Store(new S3Connection(settings, credentials, options));
}
