/** One small key with the server's own time, so that a restore can say which write was the last. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { EngineContext } from "../engine.ts";
import { type Client, connectionOf, withClient } from "./connection.ts";
import { serverNow } from "./facts.ts";

export const canaryKey = "holdfast:canary";

/** After it the server holds the returned instant under {@link canaryKey}. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  return withClient(await connectionOf(context), async (client) => {
    const at = await serverNow(client);
    await client.command("SET", canaryKey, at);
    return at;
  });
}

/** Undefined when there is none. */
export async function lastCanaryAt(client: Client): Promise<Instant | undefined> {
  const found = await client.command("GET", canaryKey);
  const ms = Date.parse(String(found ?? ""));
  return Number.isNaN(ms) ? undefined : instant(ms);
}
