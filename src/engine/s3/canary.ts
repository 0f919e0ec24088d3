/** One small object that carries the present instant: written at the source, looked for in the replica. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { canaryKey, placeOf, type Side, sourceOf, withSide } from "./sides.ts";

/** Between two looks at the replica: the first follow quickly, because most canaries are there at once. */
const lookMs = { first: 20, longest: 250 } as const;

/** After it the source holds the returned instant. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  return putCanary(await sourceOf(context), instant(context.clock.nowMs()));
}

function putCanary(source: Side, at: Instant): Promise<Instant> {
  return withSide(source, async (client) => {
    await client.send(new PutObjectCommand({ Bucket: source.bucket, Key: canaryKey, Body: at }));
    return at;
  });
}

async function readCanary(client: S3Client, bucket: string): Promise<Instant | undefined> {
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: canaryKey }));
    const ms = Date.parse((await answer.Body?.transformToString()) ?? "");
    return Number.isNaN(ms) ? undefined : instant(ms);
  } catch (error) {
    if ((error as { name?: string }).name === "NoSuchKey") return undefined;
    throw error;
  }
}

/**
 * Seconds an object takes from the source to the replica, measured with one of our own.
 * @throws objective-missed when it is not there after `limitMs`
 */
export async function measureLag(
  context: EngineContext,
  source: Side,
  replica: Side,
  limitMs: number,
): Promise<number> {
  const startedAtMs = context.clock.nowMs();
  const at = await putCanary(source, instant(startedAtMs));
  context.step(`waiting for the canary in the replica ${placeOf(replica)}`);
  return withSide(replica, async (client) => {
    for (let pauseMs: number = lookMs.first; ; pauseMs = Math.min(2 * pauseMs, lookMs.longest)) {
      const found = await readCanary(client, replica.bucket);
      const tookMs = context.clock.nowMs() - startedAtMs;
      if (found !== undefined && found >= at) return tookMs / 1000;
      if (tookMs > limitMs) {
        const last = found === undefined ? "none has ever come" : `the last one that came is of ${found}`;
        throw new HoldfastError(
          "objective-missed",
          `replication is behind: a canary written ${Math.round(tookMs / 1000)} s ago is not in ${placeOf(replica)}; ${last}`,
          { hint: "mc replicate status source/BUCKET; mc replicate backlog source/BUCKET" },
        );
      }
      await context.clock.wait(pauseMs, context.signal);
    }
  });
}
