/** Reading object bytes from S3: whole or a range, and on again where a connection was cut. */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import type { S3Connection } from "./s3-connection.ts";
import { S3Failure, storeError } from "./s3-failure.ts";
import { bareEtag } from "./s3-write.ts";
import type { ObjectInfo } from "./store.ts";

const getLimitBytes = 64 * 1024 * 1024;
/** A stream that is cut this often without a byte in between has failed. */
const mostCuts = 5;

interface Opened {
  readonly response: IncomingMessage;
  readonly etag: string;
  /** Bytes that are to come. */
  readonly sizeBytes: number;
}

async function openRange(
  connection: S3Connection,
  key: string,
  fromByte: number,
  toByte: number | undefined,
  etag: string | undefined,
): Promise<Opened> {
  const { sdk } = await connection.load();
  const ranged = fromByte > 0 || toByte !== undefined;
  const url = await connection.sign(new sdk.GetObjectCommand({ Bucket: connection.bucket, Key: key }));
  const response = await connection.http.open({
    method: "GET",
    url,
    headers: {
      ...(ranged ? { range: `bytes=${fromByte}-${toByte === undefined ? "" : toByte - 1}` } : {}),
      ...(etag === undefined ? {} : { "if-match": `"${etag}"` }),
    },
    ...(connection.signal === undefined ? {} : { signal: connection.signal }),
  });
  try {
    return {
      response,
      etag: bareEtag(response.headers.etag),
      sizeBytes: announced(response, key, fromByte, ranged),
    };
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/** How many bytes the answer promises, after a look at whether they are those that were asked for. */
function announced(response: IncomingMessage, key: string, fromByte: number, ranged: boolean): number {
  const sizeBytes = Number(response.headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes))
    throw new HoldfastError("store-failed", `the server does not say how long '${key}' is`);
  if (!ranged) return sizeBytes;
  const range = /^bytes (\d+)-/.exec(response.headers["content-range"] ?? "");
  if (response.statusCode !== 206 || Number(range?.[1]) !== fromByte)
    throw new HoldfastError(
      "store-failed",
      `the server does not give ranges: asked for '${key}' from ${fromByte}`,
    );
  return sizeBytes;
}

/** `body` until its promised end; a cut is mended by asking for the rest of the same version. */
async function* resuming(
  connection: S3Connection,
  key: string,
  fromByte: number,
  first: Opened,
): AsyncGenerator<Uint8Array> {
  const endByte = fromByte + first.sizeBytes;
  let at = fromByte;
  let opened = first;
  let cuts = 0;
  for (;;) {
    const before = at;
    try {
      for await (const chunk of opened.response) {
        at += (chunk as Uint8Array).byteLength;
        if (at > endByte)
          throw new HoldfastError("store-failed", `'${key}' is longer than the server promised`);
        yield chunk as Uint8Array;
      }
    } catch (error) {
      if (error instanceof HoldfastError || connection.signal?.aborted === true) throw error;
    } finally {
      opened.response.destroy();
    }
    if (at === endByte) return;
    cuts = at > before ? 1 : cuts + 1;
    if (cuts > mostCuts)
      throw new HoldfastError(
        "store-unreachable",
        `store '${connection.settings.name}': '${key}' was cut at byte ${at} of ${endByte}, again and again`,
      );
    await sleep(100 * cuts * (0.5 + Math.random()));
    opened = await connection.retrying(`reading '${key}' from ${at}`, () =>
      openRange(connection, key, at, endByte, first.etag),
    );
  }
}

/** See `Store.read`. `size` is asked only where the server finds the range empty. */
export async function readObject(
  connection: S3Connection,
  key: string,
  fromByte: number,
  toByte: number | undefined,
  size: () => Promise<number | undefined>,
): Promise<Readable> {
  if (toByte !== undefined && toByte <= fromByte) {
    if ((await size()) === undefined)
      throw new HoldfastError("object-missing", `'${key}' is not in store '${connection.settings.name}'`);
    return Readable.from([]);
  }
  let opened: Opened;
  try {
    opened = await connection.retrying(`reading '${key}'`, () =>
      openRange(connection, key, fromByte, toByte, undefined),
    );
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof S3Failure) || cause.status !== 416) throw error;
    const sizeBytes = await size();
    if (sizeBytes === fromByte) return Readable.from([]);
    throw new HoldfastError("store-failed", `'${key}' has ${sizeBytes} bytes, none at ${fromByte}`);
  }
  return Readable.from(resuming(connection, key, fromByte, opened), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
}

/** See `Store.get`. */
export async function getObject(
  connection: S3Connection,
  key: string,
): Promise<{ readonly bytes: Uint8Array; readonly info: ObjectInfo }> {
  return connection.retrying(`reading '${key}'`, async () => {
    const { response, etag, sizeBytes } = await openRange(connection, key, 0, undefined, undefined);
    if (sizeBytes > getLimitBytes) {
      response.destroy();
      throw new HoldfastError("store-failed", `'${key}' has ${sizeBytes} bytes, too many to read whole`);
    }
    const bytes = await connection.http.whole(response);
    const modifiedMs = Date.parse(response.headers["last-modified"] ?? "");
    if (Number.isNaN(modifiedMs))
      throw storeError(new S3Failure(200, "NoLastModified", "the answer has no date"), `reading '${key}'`);
    return { bytes, info: { key, sizeBytes, modifiedAt: instant(modifiedMs), etag } };
  });
}
