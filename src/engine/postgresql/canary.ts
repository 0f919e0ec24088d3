/** One tiny row with the server's own time, so that a restore can say which commit was the last. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { EngineContext } from "../engine.ts";
import { type Connection, connectionOf, withClient } from "./connection.ts";

/** Rows kept; old ones go with every hundredth canary. */
const keptRows = 10_000;

const table = `
  create schema if not exists holdfast;
  create table if not exists holdfast.canary (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp()
  );
  comment on table holdfast.canary is 'written by Holdfast: the newest row after a restore is its recovery point'`;

/** After it a row with the returned instant is committed. The table is made when it is not there. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  const connection = await connectionOf(context);
  return withClient(connection, async (client) => {
    const insert = () =>
      client.query<{ id: string; at: Date }>(
        "insert into holdfast.canary default values returning id::text, at",
      );
    const { rows } = await insert().catch(async (error: { code?: string }) => {
      if (error.code !== "42P01" && error.code !== "3F000") throw error;
      await client.query(table);
      return insert();
    });
    const row = rows[0];
    if (Number(row?.id ?? 1) % 100 === 0) {
      await client.query("delete from holdfast.canary where id < $1", [Number(row?.id) - keptRows]);
    }
    return instant(row?.at.getTime() ?? 0);
  });
}

/** The newest canary in the database; undefined when there is none. */
export async function lastCanaryAt(connection: Connection): Promise<Instant | undefined> {
  return withClient(connection, async (client) => {
    try {
      const { rows } = await client.query<{ at: Date | null }>("select max(at) as at from holdfast.canary");
      const at = rows[0]?.at;
      return at === null || at === undefined ? undefined : instant(at.getTime());
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "42P01" || code === "3F000") return undefined;
      throw error;
    }
  });
}
