/** One tiny document with the server's own time, so that a restore can say which write was the last. */
import type { MongoClient } from "mongodb";
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { EngineContext } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { serverNowMs } from "./facts.ts";

export const canaryDatabase = "holdfast";
export const canaryCollection = "canary";
/** How long old ones are kept, and how often one in so many clears them away. */
const keptMs = 24 * 3_600_000;
const clearEvery = 100;

/** After it a majority of the set has a document with the returned instant. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  return withClient(await connectionOf(context), async (client) => {
    const atMs = await serverNowMs(client);
    const canaries = client.db(canaryDatabase).collection(canaryCollection);
    await canaries.insertOne({ at: new Date(atMs) }, { writeConcern: { w: "majority" } });
    if (Math.floor(atMs / 1000) % clearEvery === 0)
      await canaries.deleteMany({ at: { $lt: new Date(atMs - keptMs) } });
    return instant(atMs);
  });
}

/** The newest canary; undefined when there is none. */
export async function lastCanaryAt(client: MongoClient): Promise<Instant | undefined> {
  const [newest] = await client
    .db(canaryDatabase)
    .collection<{ at?: unknown }>(canaryCollection)
    .find({})
    .sort({ at: -1 })
    .limit(1)
    .toArray();
  return newest?.at instanceof Date ? instant(newest.at.getTime()) : undefined;
}
