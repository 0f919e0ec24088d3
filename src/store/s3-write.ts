/** Writing one object to S3 in one request or in parts, with conditions, sums and retries. */
import { randomUUID } from "node:crypto";
import { crc32 } from "node:zlib";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import type { S3Connection } from "./s3-connection.ts";
import { ambiguous, S3Failure } from "./s3-failure.ts";
import type { ObjectInfo, PutOptions } from "./store.ts";

/** What an object says about the write that made it: tells our own earlier try from another writer's object. */
export const writeMark = "holdfast-write";

/** Entity tags without the quotes of HTTP. */
export function bareEtag(text: string | undefined): string {
  return (text ?? "").replace(/^W\//, "").replace(/^"|"$/g, "");
}

function sumOf(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString("base64");
}

export interface Conditions {
  readonly IfNoneMatch?: "*";
  readonly IfMatch?: string;
}

export function conditionsOf(options: PutOptions): Conditions {
  if (options.ifAbsent === true) return { IfNoneMatch: "*" };
  return options.ifMatch === undefined ? {} : { IfMatch: `"${options.ifMatch}"` };
}

function conditionHeaders(conditions: Conditions): Record<string, string> {
  return {
    ...(conditions.IfNoneMatch === undefined ? {} : { "if-none-match": conditions.IfNoneMatch }),
    ...(conditions.IfMatch === undefined ? {} : { "if-match": conditions.IfMatch }),
  };
}

/** Servers that do not know checksum headers refuse them as such; then they are left out from now on. */
function refusesSums(failure: unknown): boolean {
  return (
    failure instanceof S3Failure &&
    (failure.status === 501 ||
      (failure.status === 400 &&
        /^(InvalidRequest|InvalidArgument|NotImplemented|HTTP400)$/.test(failure.s3Code)))
  );
}

/** The object under `key` when the write marked `mark` made it; `hidden` where this identity may not look. */
export async function ownObject(
  connection: S3Connection,
  key: string,
  mark: string,
): Promise<ObjectInfo | "hidden" | undefined> {
  const { sdk, client } = await connection.load();
  return connection.retrying(`looking at '${key}'`, async () => {
    const command = new sdk.HeadObjectCommand({ Bucket: connection.bucket, Key: key });
    try {
      const found = await client.send(command, connection.sending);
      if (found.Metadata?.[writeMark] !== mark) return undefined;
      return {
        key,
        sizeBytes: found.ContentLength ?? 0,
        modifiedAt: instant(found.LastModified?.getTime() ?? Date.now()),
        etag: bareEtag(found.ETag),
      };
    } catch (error) {
      const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
      if (status === 404) return undefined;
      if (status === 403) return "hidden";
      throw error;
    }
  });
}

/** Sends `bytes` as the body of `command`, with a sum the server checks where it can. */
async function sendBody(
  connection: S3Connection,
  bytes: Uint8Array,
  sum: string,
  headers: Readonly<Record<string, string>>,
  makeCommand: (sums: { readonly ChecksumCRC32?: string }) => object,
  signal?: AbortSignal,
): Promise<{ readonly etag: string; readonly date: string | undefined }> {
  const stop = signal ?? connection.signal;
  const once = async (withSum: boolean) => {
    const url = await connection.sign(makeCommand(withSum ? { ChecksumCRC32: sum } : {}));
    const response = await connection.http.exchange({
      method: "PUT",
      url,
      headers: { ...headers, ...(withSum ? { "x-amz-checksum-crc32": sum } : {}) },
      body: bytes,
      ...(stop === undefined ? {} : { signal: stop }),
    });
    const echoed = response.headers["x-amz-checksum-crc32"];
    if (withSum && echoed !== undefined && echoed !== sum)
      throw new S3Failure(500, "BadDigest", "the server stored bytes with another sum");
    return { etag: bareEtag(response.headers.etag), date: response.headers.date };
  };
  if (!connection.checksums) return once(false);
  try {
    return await once(true);
  } catch (error) {
    if (!refusesSums(error)) throw error;
    const answer = await once(false);
    connection.checksums = false;
    return answer;
  }
}

/**
 * The object is there with exactly `bytes`, in one request. After a try whose answer was lost, a failed
 * condition is looked into: when the object there is that try's, the write has succeeded.
 * @throws object-exists when a condition does not hold.
 */
export async function putWhole(
  connection: S3Connection,
  key: string,
  bytes: Uint8Array,
  conditions: Conditions,
  signal?: AbortSignal,
): Promise<ObjectInfo> {
  const { sdk } = await connection.load();
  const sum = sumOf(bytes);
  const conditional = Object.keys(conditions).length > 0;
  const mark = randomUUID();
  const marked = conditional ? { Metadata: { [writeMark]: mark } } : {};
  const headers = {
    ...conditionHeaders(conditions),
    ...(conditional ? { [`x-amz-meta-${writeMark}`]: mark } : {}),
  };
  let doubtful = false;
  return connection.retrying(
    `writing '${key}'`,
    async () => {
      try {
        const { etag, date } = await sendBody(
          connection,
          bytes,
          sum,
          headers,
          (sums) =>
            new sdk.PutObjectCommand({
              Bucket: connection.bucket,
              Key: key,
              ...conditions,
              ...marked,
              ...sums,
            }),
          signal,
        );
        return { key, sizeBytes: bytes.byteLength, modifiedAt: instant(serverMs(date)), etag };
      } catch (error) {
        if (!(error instanceof S3Failure)) throw error;
        if (conditional && error.status === 404 && conditions.IfMatch !== undefined)
          throw new HoldfastError("object-exists", `'${key}' has changed since it was read: it is gone`);
        if (error.status === 412 && doubtful) {
          const own = await ownObject(connection, key, mark);
          if (own !== undefined && own !== "hidden") return own;
        }
        if (ambiguous(error)) doubtful = true;
        throw error;
      }
    },
    signal,
  );
}

/** The server's clock as its answer shows it. */
function serverMs(date: string | undefined): number {
  const ms = Date.parse(date ?? "");
  return Number.isNaN(ms) ? Date.now() : ms;
}

export interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string;
  readonly ChecksumCRC32?: string;
}

/** One part of a multipart upload is with the server. */
export async function putPart(
  connection: S3Connection,
  upload: { readonly key: string; readonly uploadId: string; readonly sums: boolean },
  partNumber: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<SentPart> {
  const { sdk } = await connection.load();
  const sum = sumOf(bytes);
  return connection.retrying(
    `writing part ${partNumber} of '${upload.key}'`,
    async () => {
      const { etag } = await sendBody(
        connection,
        bytes,
        sum,
        {},
        (sums) =>
          new sdk.UploadPartCommand({
            Bucket: connection.bucket,
            Key: upload.key,
            UploadId: upload.uploadId,
            PartNumber: partNumber,
            ...sums,
          }),
        signal,
      );
      if (etag === "") throw new S3Failure(500, "NoETag", "the server gave the part no entity tag");
      return {
        PartNumber: partNumber,
        ETag: `"${etag}"`,
        ...(upload.sums && connection.checksums ? { ChecksumCRC32: sum } : {}),
      };
    },
    signal,
  );
}
