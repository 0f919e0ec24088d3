/** Mends the drift that needs no restart and no judgement. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { ensureSlot } from "./slot.ts";

/** @throws guard-refused for a setting that is not ours to change */
export async function mend(context: EngineContext, setting: string): Promise<void> {
  const connection = await connectionOf(context);
  await withClient(connection, async (client) => {
    if (setting === "slot") {
      await ensureSlot(client, context.policy.log?.slot ?? "");
      return;
    }
    const values: Readonly<Record<string, string>> = {
      fsync: "on",
      full_page_writes: "on",
      summarize_wal: "on",
      archive_timeout: `'${Math.max(1, Math.floor(context.policy.objectives.rpoMs / 2000))}s'`,
    };
    const value = values[setting];
    if (value === undefined) {
      throw new HoldfastError(
        "guard-refused",
        `'${setting}' is not a setting that Holdfast changes by itself`,
      );
    }
    await client.query(`alter system set ${setting} = ${value}`);
    await client.query("select pg_reload_conf()");
  });
}
