/** What there is to back up, and which of it a BACKUP does not carry. */
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import { ask, type Connection } from "./connection.ts";
import { named } from "./sql.ts";

export interface Table {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  readonly totalBytes: number;
}

/** Engines whose rows a BACKUP stores; of all others it stores the definition alone. */
const storing = /MergeTree$|^(Log|TinyLog|StripeLog|Memory|Set|Join|EmbeddedRocksDB|KeeperMap)$/;
/** Engines without rows of their own: nothing is lost with them. */
const rowless =
  /View$|^(View|LiveView|WindowView|Distributed|Merge|Null|Dictionary|Buffer|GenerateRandom|Alias)$/;
const ownDatabases = ["system", "information_schema", "INFORMATION_SCHEMA"];
/** Behind the name of a column that holds a database's. */
export const othersSql = `NOT IN (${ownDatabases.map((d) => `'${d}'`).join(", ")})`;

export function holdsRows(table: Pick<Table, "engine">): boolean {
  return storing.test(table.engine);
}

/** Whether its rows lie in parts, which never change under their names. */
export function hasParts(table: Pick<Table, "engine">): boolean {
  return /MergeTree$/.test(table.engine);
}

/** Tables whose rows lie somewhere else and are not in a backup: Kafka, MySQL, S3, URL and the like. */
export function isUncovered(table: Pick<Table, "engine">): boolean {
  return !holdsRows(table) && !rowless.test(table.engine);
}

export interface Selection {
  readonly databases: readonly string[];
  readonly tables: readonly Table[];
  /** Chosen tables, not whole databases. */
  readonly isPartial: boolean;
}

/** Every table the policy wants, in order. @throws empty-backup when there is none */
export async function wantedTables(
  connection: Connection,
  policy: Policy,
  signal: AbortSignal,
): Promise<Selection> {
  const [{ rows }, all] = await Promise.all([
    ask(connection, `SELECT name FROM system.databases WHERE name ${othersSql} ORDER BY name`, { signal }),
    visibleTables(connection, signal),
  ]);
  const databases = rows.map((r) => String(r[0]));
  const patterns = patternsOf(policy);
  if (patterns === undefined) {
    // An empty "default" is made by every server; a backup of nothing must not look like one.
    const used = databases.filter((d) => d !== "default" || all.some((t) => t.database === d));
    if (all.length === 0)
      throw new HoldfastError("empty-backup", "the server has no table that this user can see");
    return { databases: used, tables: all, isPartial: false };
  }
  const tables = all.filter((t) => patterns.some((p) => p.test(`${t.database}.${t.name}`)));
  if (tables.length === 0)
    throw new HoldfastError(
      "empty-backup",
      "no table fits capture.options.tables, or this user cannot see one",
    );
  return { databases: [...new Set(tables.map((t) => t.database))], tables, isPartial: true };
}

/** Every table this user can see, the server's own and temporary ones left out, in order. */
export async function visibleTables(connection: Connection, signal: AbortSignal): Promise<readonly Table[]> {
  const { rows } = await ask(
    connection,
    `SELECT database, name, engine, toString(ifNull(total_bytes, 0)) FROM system.tables
     WHERE database ${othersSql} AND NOT is_temporary AND name NOT LIKE '.inner%' ORDER BY database, name`,
    { signal },
  );
  return rows.map(([database, name, engine, bytes]) => ({
    database: String(database),
    name: String(name),
    engine: String(engine),
    totalBytes: Number(bytes),
  }));
}

/** Whether the policy chooses the table of that full name. */
export function isWanted(policy: Policy, fullName: string): boolean {
  return patternsOf(policy)?.some((p) => p.test(fullName)) ?? true;
}

/** `*` and `?` as in a shell; the canaries travel with every selection. */
function patternsOf(policy: Policy): readonly RegExp[] | undefined {
  const given = policy.capture.options["tables"];
  if (!Array.isArray(given) || given.length === 0) return undefined;
  return [...given.map(String), "holdfast.canary"].map((pattern) => {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${source}$`);
  });
}

/** `database.table` in two, though both may hold dots; `databases` are those there were. */
export function splitName(full: string, databases: readonly string[]): readonly [string, string] {
  const database = databases
    .filter((name) => full.startsWith(`${name}.`))
    .sort((a, b) => b.length - a.length)[0];
  const at = database?.length ?? full.indexOf(".");
  return [full.slice(0, at), full.slice(at + 1)];
}

/** The object of BACKUP: whole databases, or the tables that were chosen. */
export function elementsSql(wanted: Selection): string {
  return wanted.isPartial
    ? wanted.tables.map((t) => `TABLE ${named(t.database)}.${named(t.name)}`).join(", ")
    : wanted.databases.map((d) => `DATABASE ${named(d)}`).join(", ");
}
