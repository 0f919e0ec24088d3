/** Mends the settings the policy names, at once and, where the server has a file, for its next start. */
import { ErrorReply } from "@redis/client";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { usualRewritePercentage, wantedSettings } from "./drift.ts";

/** @throws guard-refused for a setting that is not ours to change */
export async function mend(context: EngineContext, setting: string): Promise<void> {
  const own = { "auto-aof-rewrite-percentage": usualRewritePercentage };
  const value = { ...own, ...wantedSettings(context.policy) }[setting];
  if (value === undefined) {
    throw new HoldfastError("guard-refused", `'${setting}' is not a setting that Holdfast changes by itself`);
  }
  await withClient(await connectionOf(context), async (client) => {
    await client.command("CONFIG", "SET", setting, value);
    try {
      await client.command("CONFIG", "REWRITE");
    } catch (error) {
      // A server that was started without a file, or may not write it, takes the old value at its next start.
      if (!(error instanceof ErrorReply)) throw error;
      context.log.warn("the setting holds until the server's next start: its file could not be written", {
        policy: context.policy.name,
        setting,
        cause: error.message,
      });
    }
  });
}
