/**
 * Rows, one hash per column and one per whole row of every table, recorded at capture and compared after a
 * restore: RESTORE itself checks no sums, and count() may come from a file beside the data. Hashes are added up
 * modulo 2^64, so each is taken per part; exactly the parts in the backup count, whatever was merged meanwhile.
 */
import { HoldfastError } from "../../errors.ts";
import { ask, type Connection, exceptionCode } from "./connection.ts";
import { named, quoted } from "./sql.ts";
import { holdsRows, type Table } from "./tables.ts";

const wrap = 1n << 64n;
const unknownTable = 60;
/** Of a row as a whole: values swapped between rows change no column's sum. */
const wholeRow = "(row)";

/** `columns` maps a name to the sum, modulo 2^64, of its values' hashes, as a decimal text. */
export interface TableSum {
  readonly rows: number;
  readonly columns: Readonly<Record<string, string>>;
}

/** Why a table has no sums: it was written or merged in between, or is of an engine without rows. */
export type Recorded = TableSum | { readonly notCompared: string };

interface PartSum {
  readonly rows: bigint;
  readonly sums: readonly bigint[];
}

export interface PartSums {
  readonly names: readonly string[];
  /** Per part; tables without parts have one called "". */
  readonly parts: ReadonlyMap<string, PartSum>;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

type TableName = Pick<Table, "database" | "name" | "engine">;

function hashOf(name: string, type: string): string {
  // States, maps and the dynamic types have no hash of their own in every version; their text has.
  const isOpaque = /AggregateFunction\(|JSON|Dynamic|Variant|Object\(|Map\(/.test(type);
  return `ifNull(cityHash64(${isOpaque ? `toString(${named(name)})` : named(name)}), 42)`;
}

/**
 * Reads every column of the table, or of its parts called `only`.
 * @throws tool-failed when a part cannot be read
 */
export async function sumsOf(
  connection: Connection,
  table: TableName,
  options: ReadOptions,
  only?: ReadonlySet<string>,
): Promise<PartSums> {
  const { rows: columns } = await ask(
    connection,
    `SELECT name, type FROM system.columns WHERE database = ${quoted(table.database)} AND table = ${quoted(table.name)}
     AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY position`,
    options,
  );
  const hashes = columns.map((c) => hashOf(String(c[0]), String(c[1])));
  const names = [...columns.map((c) => String(c[0])), wholeRow];
  const part = hasParts(table) ? "_part" : "''";
  const sums = [...hashes, `cityHash64(${["0", ...hashes].join(", ")})`].map((h) => `toString(sum(${h}))`);
  const chosen = only === undefined ? "" : ` WHERE _part IN (${[...only].map(quoted).join(", ")})`;
  const { rows } = await ask(
    connection,
    `SELECT ${[`${part} AS holdfast_part`, "toString(count())", ...sums].join(", ")}
     FROM ${named(table.database)}.${named(table.name)}${chosen} GROUP BY holdfast_part`,
    options,
  );
  const parts = new Map(
    rows.map(([name, count, ...values]) => [
      String(name),
      { rows: BigInt(String(count)), sums: values.map((s) => BigInt(String(s))) },
    ]),
  );
  return { names, parts };
}

export function hasParts(table: Pick<Table, "engine">): boolean {
  return /MergeTree$/.test(table.engine);
}

/** Over the given parts. */
export function total(names: readonly string[], parts: Iterable<PartSum>): TableSum {
  let rows = 0n;
  const sums = names.map(() => 0n);
  for (const part of parts) {
    rows += part.rows;
    for (const [at, sum] of part.sums.entries()) sums[at] = ((sums[at] ?? 0n) + sum) % wrap;
  }
  const columns = Object.fromEntries(names.map((name, at) => [name, String(sums[at])]));
  return { rows: Number(rows), columns };
}

/** Names of the parts in use now. */
async function activeParts(
  connection: Connection,
  table: Table,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { rows } = await ask(
    connection,
    `SELECT name FROM system.parts WHERE active AND database = ${quoted(table.database)} AND table = ${quoted(table.name)}`,
    { signal },
  );
  return new Set(rows.map((r) => String(r[0])));
}

/** The sums before the capture; undefined where they cannot be had, which is told afterwards. */
export async function sumsBefore(
  connection: Connection,
  table: Table,
  options: ReadOptions,
): Promise<PartSums | undefined> {
  if (!holdsRows(table)) return undefined;
  try {
    return await sumsOf(connection, table, options);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "tool-failed") return undefined;
    throw error;
  }
}

/**
 * The sums of what a backup holds of `table`.
 * @param inBackup parts of the table in the backup's own metadata; undefined where nobody knows them
 * @param before sums taken before the backup
 */
export async function recordSums(
  connection: Connection,
  table: Table,
  inBackup: ReadonlySet<string> | undefined,
  before: PartSums | undefined,
  options: ReadOptions,
): Promise<Recorded> {
  if (!holdsRows(table)) return { notCompared: `engine ${table.engine} holds no rows of its own` };
  try {
    if (hasParts(table) && inBackup !== undefined)
      return await sumsOfParts(connection, table, inBackup, before, options);
    const now = await sumsOf(connection, table, options);
    const [then, after] = [
      before && total(before.names, before.parts.values()),
      total(now.names, now.parts.values()),
    ];
    if (then !== undefined && JSON.stringify(then) === JSON.stringify(after)) return then;
    return { notCompared: "it was written while the backup ran" };
  } catch (error) {
    if (exceptionCode(error) === unknownTable) return { notCompared: "it was dropped while the backup ran" };
    if (error instanceof HoldfastError && error.code === "tool-failed")
      return { notCompared: `it cannot be read: ${error.message.slice(0, 300)}` };
    throw error;
  }
}

/** A part never changes under its name, so what was read of it before the backup holds for it in the backup. */
async function sumsOfParts(
  connection: Connection,
  table: Table,
  inBackup: ReadonlySet<string>,
  before: PartSums | undefined,
  options: ReadOptions,
): Promise<Recorded> {
  const known = new Map(before?.parts ?? []);
  const missing = new Set([...inBackup].filter((name) => !known.has(name)));
  let names = before?.names ?? [];
  if (missing.size > 0 || before === undefined) {
    const late = await sumsOf(connection, table, options, missing.size > 0 ? missing : undefined);
    // Asked afterwards: what is in use still was there to be read, while one merged in between gives no rows either.
    const active = await activeParts(connection, table, options.signal);
    if (before !== undefined && late.names.join("\0") !== before.names.join("\0"))
      return { notCompared: "its columns changed while the backup ran" };
    names = late.names;
    for (const [name, sum] of late.parts) known.set(name, sum);
    // A part whose rows were all deleted is there and gives none.
    const gone = [...missing].filter((name) => !known.has(name) && !active.has(name));
    if (gone.length > 0) return { notCompared: "parts were written and merged while the backup ran" };
  }
  return total(
    names,
    [...inBackup].flatMap((name) => known.get(name) ?? []),
  );
}
