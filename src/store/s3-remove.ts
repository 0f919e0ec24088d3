/** Removing objects from S3 in batches, or one by one where a server knows no batches. */
import { HoldfastError } from "../errors.ts";
import type { S3Connection } from "./s3-connection.ts";
import { failureOf, S3Failure } from "./s3-failure.ts";

const batchSize = 1_000;

async function removeOne(connection: S3Connection, key: string, versionId?: string): Promise<void> {
  await connection.control(`removing '${key}'`, async (sdk, client) => {
    const version = versionId === undefined ? {} : { VersionId: versionId };
    try {
      await client.send(
        new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: key, ...version }),
        connection.sending,
      );
    } catch (error) {
      const failure = failureOf(error);
      if (failure instanceof S3Failure && /^(NoSuchKey|NoSuchVersion|NotFound)$/.test(failure.s3Code)) return;
      throw failure;
    }
  });
}

/** Keys of the batch the server did not remove, or undefined when it takes no batches. */
async function removeBatch(
  connection: S3Connection,
  keys: readonly string[],
): Promise<readonly { readonly key: string; readonly code: string; readonly message: string }[] | undefined> {
  try {
    const answer = await connection.control(`removing ${keys.length} objects`, (sdk, client) =>
      client.send(
        new sdk.DeleteObjectsCommand({
          Bucket: connection.bucket,
          Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
        }),
        connection.sending,
      ),
    );
    return (answer.Errors ?? [])
      .filter(({ Code }) => Code !== "NoSuchKey")
      .map(({ Key, Code, Message }) => ({ key: Key ?? "", code: Code ?? "", message: Message ?? "" }));
  } catch (error) {
    const cause = error instanceof HoldfastError ? error.cause : undefined;
    if (
      cause instanceof S3Failure &&
      [400, 404, 405, 501].includes(cause.status) &&
      cause.s3Code !== "NoSuchBucket"
    )
      return undefined;
    throw error;
  }
}

/**
 * See `Store.remove`. What a batch leaves over is tried one by one, which gives each its own retries and its
 * own error; all the others are gone before the first error is thrown.
 */
export async function removeObjects(connection: S3Connection, keys: readonly string[]): Promise<void> {
  let failure: unknown;
  for (let at = 0; at < keys.length; at += batchSize) {
    const batch = keys.slice(at, at + batchSize);
    const left = batch.length === 1 ? undefined : await removeBatch(connection, batch);
    for (const key of left === undefined ? batch : left.map((entry) => entry.key)) {
      try {
        await removeOne(connection, key);
      } catch (error) {
        failure ??= error;
      }
    }
  }
  if (failure !== undefined) throw failure;
}
