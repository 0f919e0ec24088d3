/** One tiny row with the server's own time, so that a restore can say which moment it holds last. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { EngineContext } from "../engine.ts";
import { askText, type Connection, connectionOf, exceptionCode, run } from "./connection.ts";
import { named } from "./sql.ts";

export const canaryDatabase = "holdfast";
const unknownDatabase = 81;
const unknownTable = 60;

/** After it a row with the returned instant is there. Database and table are made when they are not. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  const connection = await connectionOf(context);
  const { signal } = context;
  const at = await askText(connection, "SELECT toUnixTimestamp64Milli(now64(3))", { signal });
  const insert = () =>
    run(connection, `INSERT INTO holdfast.canary SELECT fromUnixTimestamp64Milli(toInt64(${Number(at)}))`, {
      signal,
    });
  try {
    await insert();
  } catch (error) {
    const code = exceptionCode(error);
    if (code !== unknownDatabase && code !== unknownTable) throw error;
    await run(connection, `CREATE DATABASE IF NOT EXISTS ${canaryDatabase}`, { signal });
    await run(
      connection,
      `CREATE TABLE IF NOT EXISTS holdfast.canary (at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY at
       TTL toDateTime(at) + INTERVAL 90 DAY COMMENT 'written by Holdfast: the newest row after a restore is its recovery point'`,
      { signal },
    );
    await insert();
  }
  return instant(Number(at));
}

/** The newest canary in `database`; undefined when there is none. */
export async function lastCanaryAt(connection: Connection, database: string): Promise<Instant | undefined> {
  try {
    const ms = await askText(
      connection,
      `SELECT if(count() = 0, '', toString(toUnixTimestamp64Milli(max(at)))) FROM ${named(database)}.canary`,
    );
    return ms === "" ? undefined : instant(Number(ms));
  } catch (error) {
    const code = exceptionCode(error);
    if (code === unknownDatabase || code === unknownTable) return undefined;
    throw error;
  }
}
