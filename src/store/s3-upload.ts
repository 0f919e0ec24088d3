/**
 * An object of any size in the making: 8 MiB parts from two buffers, one filling while the other is on its
 * way, so memory does not grow with the object. What fits one part goes as one plain put.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import type { S3Connection } from "./s3-connection.ts";
import { ambiguous, failureOf, S3Failure } from "./s3-failure.ts";
import {
  bareEtag,
  type Conditions,
  ownObject,
  putPart,
  putWhole,
  type SentPart,
  writeMark,
} from "./s3-write.ts";
import type { ObjectInfo, Upload } from "./store.ts";

export const partBytes = 8 * 1024 * 1024;
/** S3's own limit; with constant parts an object ends at 78 GiB. */
const mostParts = 10_000;

/** Part buffers that go round among the uploads of one store. */
export class PartBuffers {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(partBytes);
  }

  giveBack(buffer: Buffer): void {
    if (this.#free.length < 2) this.#free.push(buffer);
  }
}

export class S3Upload implements Upload {
  readonly #connection: S3Connection;
  readonly #buffers: PartBuffers;
  readonly #key: string;
  /** Resolves to the conditions the server will check itself; the others have been looked at by then. */
  readonly #conditions: (multipart: boolean) => Promise<Conditions>;
  readonly #mark = randomUUID();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #sent: SentPart[] = [];
  #buffer: Buffer | undefined;
  #filled = 0;
  #totalBytes = 0;
  #begun: { readonly uploadId: string; readonly key: string; readonly sums: boolean } | undefined;
  #sending: Promise<void> | undefined;
  #failure: unknown;
  #over = false;

  constructor(
    connection: S3Connection,
    buffers: PartBuffers,
    key: string,
    conditions: (multipart: boolean) => Promise<Conditions>,
  ) {
    this.#connection = connection;
    this.#buffers = buffers;
    this.#key = key;
    this.#conditions = conditions;
    const outer = connection.signal;
    this.#signal = outer === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, outer]);
    setMaxListeners(0, this.#signal);
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#over) throw new Error(`the upload of '${this.#key}' is over`);
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#buffer ??= this.#buffers.take();
      const count = Math.min(partBytes - this.#filled, chunk.byteLength - at);
      this.#buffer.set(chunk.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === partBytes) await this.#sendBuffer();
    }
    this.#totalBytes += chunk.byteLength;
  }

  /** Waits for the part before, then sends the filled buffer in the background. */
  async #sendBuffer(): Promise<void> {
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure;
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const partNumber = this.#sent.length + 1;
    if (partNumber > mostParts)
      throw new HoldfastError(
        "store-failed",
        `'${this.#key}' is larger than ${mostParts} parts of ${partBytes} bytes`,
      );
    const bytes = buffer.subarray(0, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    try {
      this.#begun ??= await this.#begin();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    const begun = this.#begun;
    this.#sending = putPart(this.#connection, begun, partNumber, bytes, this.#signal).then(
      (part) => {
        this.#sent.push(part);
        this.#buffers.giveBack(buffer);
      },
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }

  async #begin(): Promise<{ readonly uploadId: string; readonly key: string; readonly sums: boolean }> {
    const { sdk, client } = await this.#connection.load();
    const begin = (sums: boolean) =>
      this.#connection.retrying(`beginning the upload of '${this.#key}'`, async () => {
        const command = new sdk.CreateMultipartUploadCommand({
          Bucket: this.#connection.bucket,
          Key: this.#key,
          Metadata: { [writeMark]: this.#mark },
          ...(sums ? { ChecksumAlgorithm: "CRC32" } : {}),
        });
        const { UploadId } = await client.send(command, this.#connection.sending);
        if (UploadId === undefined || UploadId === "")
          throw new S3Failure(500, "NoUploadId", "the server gave the upload no id");
        return { uploadId: UploadId, key: this.#key, sums };
      });
    if (!this.#connection.checksums) return begin(false);
    try {
      return await begin(true);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "store-failed") throw error;
      this.#connection.checksums = false;
      return begin(false);
    }
  }

  async complete(): Promise<ObjectInfo> {
    if (this.#over) throw new Error(`the upload of '${this.#key}' is over`);
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#begun === undefined) {
        const bytes = this.#buffer?.subarray(0, this.#filled) ?? new Uint8Array();
        return await putWhole(
          this.#connection,
          this.#key,
          bytes,
          await this.#conditions(false),
          this.#signal,
        );
      }
      if (this.#filled > 0) await this.#sendBuffer();
      await this.#sending;
      if (this.#failure !== undefined) throw this.#failure;
      return await this.#finish(this.#begun.uploadId);
    } catch (error) {
      await this.abort().catch(() => {});
      throw error;
    } finally {
      this.#over = true;
      this.#release();
    }
  }

  /** Puts the parts together and looks at what came of it, since a server can say 200 and mean no. */
  async #finish(uploadId: string): Promise<ObjectInfo> {
    const { sdk, client } = await this.#connection.load();
    const conditions = await this.#conditions(true);
    const command = new sdk.CompleteMultipartUploadCommand({
      Bucket: this.#connection.bucket,
      Key: this.#key,
      UploadId: uploadId,
      MultipartUpload: { Parts: this.#sent },
      ...conditions,
    });
    let doubtful = false;
    return this.#connection.retrying(`completing the upload of '${this.#key}'`, async () => {
      let etag = "";
      try {
        const done = await client.send(command, this.#connection.sending);
        if (done.ETag === undefined)
          throw new S3Failure(0, "NoETag", "the answer to the completion is not whole");
        etag = bareEtag(done.ETag);
      } catch (error) {
        const failure = failureOf(error);
        if (!(failure instanceof S3Failure)) throw failure;
        // 200 with an error inside is not in the table of statuses: what S3 calls it decides.
        const named =
          failure.status < 300 && failure.status > 0
            ? new S3Failure(500, failure.s3Code, failure.message)
            : failure;
        if (!(doubtful && (named.status === 412 || named.status === 404))) {
          if (ambiguous(named)) doubtful = true;
          throw named;
        }
        const own = await ownObject(this.#connection, this.#key, this.#mark);
        if (own === undefined || own === "hidden") throw named;
        return this.#checked(own);
      }
      const own = await ownObject(this.#connection, this.#key, this.#mark);
      if (own === "hidden")
        return { key: this.#key, sizeBytes: this.#totalBytes, modifiedAt: instant(Date.now()), etag };
      if (own !== undefined) return this.#checked(own);
      throw new HoldfastError(
        "store-failed",
        `the upload of '${this.#key}' was completed, but the object there is another one`,
        { hint: "another run may be writing the same object" },
      );
    });
  }

  #checked(info: ObjectInfo): ObjectInfo {
    if (info.sizeBytes !== this.#totalBytes)
      throw new HoldfastError(
        "store-failed",
        `'${this.#key}' has ${info.sizeBytes} bytes in the store, but ${this.#totalBytes} were sent`,
      );
    return info;
  }

  async abort(): Promise<void> {
    this.#over = true;
    this.#stop.abort();
    await this.#sending;
    this.#release();
    const begun = this.#begun;
    if (begun === undefined) return;
    await abortMultipart(this.#connection, begun.key, begun.uploadId);
    this.#begun = undefined;
  }

  #release(): void {
    if (this.#buffer !== undefined) this.#buffers.giveBack(this.#buffer);
    this.#buffer = undefined;
    this.#filled = 0;
  }
}

/** The upload and its parts are gone; one that is not there is fine. */
export async function abortMultipart(connection: S3Connection, key: string, uploadId: string): Promise<void> {
  const { sdk, client } = await connection.load();
  await connection.retrying(`aborting the upload of '${key}'`, async () => {
    const command = new sdk.AbortMultipartUploadCommand({
      Bucket: connection.bucket,
      Key: key,
      UploadId: uploadId,
    });
    try {
      await client.send(command);
    } catch (error) {
      const failure = failureOf(error);
      if (failure instanceof S3Failure && failure.s3Code === "NoSuchUpload") return;
      if (failure instanceof S3Failure && failure.status === 404 && failure.s3Code !== "NoSuchBucket") return;
      throw failure;
    }
  });
}
