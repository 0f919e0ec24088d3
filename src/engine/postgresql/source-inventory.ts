/**
 * Everything a PostgreSQL server holds. A base backup takes every database of it; what it does not bring back are
 * rows of unlogged tables, which a restore finds empty, and rows that a foreign table only points to.
 * @see PostgreSQL manual, "CREATE TABLE", UNLOGGED
 */
import type pg from "pg";
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { askText, type Connection, connectionOf, withClient } from "./connection.ts";

const mostTables = 1000;

export const sourceInventory: SourceInventory = { address, misses, look };

function address({ connection }: Policy): string {
  return `${connection["host"] ?? "127.0.0.1"}:${connection["port"] ?? 5432}`;
}

function misses(_policy: Policy, { kind }: SourceItem): string | undefined {
  if (kind === "unlogged-table") return "an unlogged table comes back empty";
  return kind === "foreign-table" ? "its rows lie in another server" : undefined;
}

async function look(context: EngineContext): Promise<SourceLook> {
  const connection = await connectionOf(context);
  const { server, databases } = await withClient(connection, async (client) => ({
    server: await askText(client, "select system_identifier from pg_control_system()"),
    databases: (
      await client.query<{ name: string; can: boolean }>(
        `select datname as name, datallowconn and has_database_privilege(oid, 'connect') as can
         from pg_database order by datname`,
      )
    ).rows,
  }));
  const items: SourceItem[] = [];
  const unseen: string[] = [];
  for (const { name, can } of databases) {
    items.push({ kind: "database", name });
    // Nobody can connect to it, so nobody has made a table in it.
    if (name === "template0") continue;
    const tables = can ? await tablesIn({ ...connection, database: name }) : undefined;
    items.push(...(tables ?? []));
    if (tables === undefined)
      unseen.push(`the tables of database '${name}': this user may not connect to it`);
    else if (tables.length === mostTables)
      unseen.push(`more than ${mostTables} tables of database '${name}'`);
  }
  return { server, items, unseen };
}

/** Undefined where the server lets this user not in after all. */
async function tablesIn(connection: Connection): Promise<readonly SourceItem[] | undefined> {
  try {
    return await withClient(connection, (client) => uncapturedTables(client, connection.database));
  } catch (error) {
    // A rule of pg_hba.conf, or a database that has gone since.
    if (error instanceof HoldfastError && error.code === "source-unreachable") return undefined;
    throw error;
  }
}

async function uncapturedTables(client: pg.Client, database: string): Promise<readonly SourceItem[]> {
  const { rows } = await client.query<{ schema: string; name: string; foreign: boolean }>(
    `select n.nspname as schema, c.relname as name, c.relkind = 'f' as foreign
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where (c.relkind = 'f' or (c.relkind = 'r' and c.relpersistence = 'u')) and n.nspname !~ '^pg_'
     order by 1, 2 limit ${mostTables}`,
  );
  return rows.map(({ schema, name, foreign }) => ({
    kind: foreign ? "foreign-table" : "unlogged-table",
    name: `${database}.${schema}.${name}`,
  }));
}
