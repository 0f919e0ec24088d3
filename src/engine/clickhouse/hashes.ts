/**
 * Rows, one hash per column and one per whole row of a table, read from the server: RESTORE itself checks no sums, and
 * count() may come from a file beside the data. Tables without parts are compared with these sums, and every point
 * that clickhouse-backup has carried.
 */
import { HoldfastError } from "../../errors.ts";
import { ask, type Connection, exceptionCode } from "./connection.ts";
import { named, quoted } from "./sql.ts";
import { holdsRows, type Table } from "./tables.ts";

const unknownTable = 60;
/** Of a row as a whole: values swapped between rows change no column's sum. */
const wholeRow = "(row)";

/** `columns` maps a name to the sum, modulo 2^64, of its values' hashes, as a decimal text. */
export interface TableSum {
  readonly rows: number;
  readonly columns: Readonly<Record<string, string>>;
}

/** Why nothing was recorded of a table: it was written in between, or is of an engine without rows. */
export interface NotCompared {
  readonly notCompared: string;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

type TableName = Pick<Table, "database" | "name">;

function hashOf(name: string, type: string): string {
  // States, maps and the dynamic types have no hash of their own in every version; their text has.
  const isOpaque = /AggregateFunction\(|JSON|Dynamic|Variant|Object\(|Map\(/.test(type);
  return `ifNull(cityHash64(${isOpaque ? `toString(${named(name)})` : named(name)}), 42)`;
}

/** Reads every column of the table. @throws tool-failed when something cannot be read */
export async function sumsOf(
  connection: Connection,
  table: TableName,
  options: ReadOptions,
): Promise<TableSum> {
  const { rows: columns } = await ask(
    connection,
    `SELECT name, type FROM system.columns WHERE database = ${quoted(table.database)} AND table = ${quoted(table.name)}
     AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY position`,
    options,
  );
  const hashes = columns.map((c) => hashOf(String(c[0]), String(c[1])));
  const names = [...columns.map((c) => String(c[0])), wholeRow];
  const sums = [...hashes, `cityHash64(${["0", ...hashes].join(", ")})`].map((h) => `toString(sum(${h}))`);
  const { rows } = await ask(
    connection,
    `SELECT ${["toString(count())", ...sums].join(", ")} FROM ${named(table.database)}.${named(table.name)}`,
    options,
  );
  const [count = "0", ...values] = (rows[0] ?? []).map(String);
  return { rows: Number(count), columns: Object.fromEntries(names.map((n, at) => [n, values[at] ?? "0"])) };
}

/** The sums before the capture; undefined where they cannot be had, which is told afterwards. */
export async function sumsBefore(
  connection: Connection,
  table: Table,
  options: ReadOptions,
): Promise<TableSum | undefined> {
  if (!holdsRows(table)) return undefined;
  try {
    return await sumsOf(connection, table, options);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "tool-failed") return undefined;
    throw error;
  }
}

/** What a backup holds of `table`, where nothing says which of its rows: they must be the same before and after. */
export async function sumsUnchanged(
  connection: Connection,
  table: Table,
  before: TableSum | undefined,
  options: ReadOptions,
): Promise<TableSum | NotCompared> {
  if (!holdsRows(table)) return { notCompared: `engine ${table.engine} holds no rows of its own` };
  try {
    const after = await sumsOf(connection, table, options);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(after)) return before;
    return { notCompared: "it was written while the backup ran" };
  } catch (error) {
    if (exceptionCode(error) === unknownTable) return { notCompared: "it was dropped while the backup ran" };
    if (error instanceof HoldfastError && error.code === "tool-failed")
      return { notCompared: `it cannot be read: ${error.message.slice(0, 300)}` };
    throw error;
  }
}
