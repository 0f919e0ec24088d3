/** Single objects of Velero's out of the bucket, onto disk, with their SHA-256. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { HoldfastError } from "../../errors.ts";
import type { BucketPlace } from "./objects.ts";

/** After it the object lies at `path`. @throws object-missing, store-failed */
export async function fetchObject(
  place: BucketPlace,
  key: string,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly sha256: string }> {
  const client = new S3Client({
    region: place.region === "" ? "us-east-1" : place.region,
    ...(place.endpoint === "" ? {} : { endpoint: place.endpoint }),
    forcePathStyle: place.forcePathStyle,
    credentials: {
      accessKeyId: place.accessKeyId,
      secretAccessKey: place.secretAccessKey,
      ...(place.sessionToken === undefined ? {} : { sessionToken: place.sessionToken }),
    },
    maxAttempts: 3,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const hash = createHash("sha256");
  try {
    const answer = await client.send(
      new GetObjectCommand({ Bucket: place.bucket, Key: `${place.keyPrefix}${key}` }),
      { abortSignal: signal },
    );
    await pipeline(
      answer.Body as Readable,
      async function* (parts: AsyncIterable<Buffer>) {
        for await (const part of parts) {
          hash.update(part);
          yield part;
        }
      },
      createWriteStream(path, { mode: 0o600 }),
      { signal },
    );
    return { sha256: hash.digest("hex") };
  } catch (cause) {
    signal.throwIfAborted();
    const { name = "", message = String(cause) } = cause as { name?: string; message?: string };
    const where = `'${place.keyPrefix}${key}' in bucket '${place.bucket}'`;
    if (/NoSuchKey|NotFound/.test(name))
      throw new HoldfastError("object-missing", `${where} is not there`, { cause });
    throw new HoldfastError("store-failed", `${where} cannot be read: ${name} ${message}`, { cause });
  } finally {
    client.destroy();
  }
}
