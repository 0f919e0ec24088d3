/**
 * What the server itself knows of every part: its rows, one hash over all its files, made when the part was written,
 * and the columns in it. A part never changes under its name, so exactly those in a backup can be named whatever is
 * inserted or merged meanwhile, and nothing has to be read for it. A restored part has other names and the same facts.
 * The hash comes from a file of sums beside the data: CHECK TABLE says of a restored part whether the two agree.
 */
import { createHash } from "node:crypto";
import { ask, type Connection } from "./connection.ts";
import type { NotCompared } from "./hashes.ts";
import { othersSql, type Table } from "./tables.ts";

interface PartFact {
  readonly isActive: boolean;
  readonly rows: number;
  /** Over its files and its columns; equal exactly when both are. */
  readonly hash: string;
}

interface TableFacts {
  readonly columnNames: readonly string[];
  /** Per name; those that were merged and are not removed yet count. */
  readonly parts: ReadonlyMap<string, PartFact>;
}

/** Per table, as `database.table`. */
export type PartFacts = ReadonlyMap<string, TableFacts>;

/** The parts a backup holds of one table. */
export interface TableParts {
  /** Of the table, sorted; a part may be older than one of them. */
  readonly columnNames: readonly string[];
  readonly rows: number;
  /** Those with rows: the server throws others away when it likes. */
  readonly parts: number;
  /** Of their hashes, sorted, one a line. */
  readonly partsSha256: string;
}

/** Of every table but the server's own. @throws as {@link ask} */
export async function partFacts(connection: Connection, signal: AbortSignal): Promise<PartFacts> {
  const where = `WHERE database ${othersSql}`;
  const [tables, parts, columns] = await Promise.all([
    ask(
      connection,
      `SELECT database, table, arraySort(groupArray(name)) FROM system.columns ${where}
       AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') GROUP BY database, table`,
      { signal },
    ),
    ask(
      connection,
      `SELECT database, table, name, active, toString(rows), hash_of_all_files FROM system.parts ${where}`,
      { signal },
    ),
    // A part has the list of its columns in a file that is in no sum.
    ask(
      connection,
      `SELECT database, table, name, toString(sum(cityHash64(column, type))) FROM system.parts_columns ${where}
       GROUP BY database, table, name`,
      { signal },
    ),
  ]);
  const key = (row: readonly unknown[]): string => JSON.stringify(row.slice(0, 3));
  const columnsOf = new Map(columns.rows.map((row) => [key(row), String(row[3])]));
  const partsOf = new Map<string, Map<string, PartFact>>();
  for (const row of parts.rows) {
    const [database, table, name = "", active, rows, hash] = row.map(String);
    const columnsHash = columnsOf.get(key(row));
    // It came or went between the questions.
    if (columnsHash === undefined) continue;
    const full = `${database}.${table}`;
    const fact = { isActive: active === "1", rows: Number(rows), hash: `${hash} ${columnsHash}` };
    partsOf.set(full, (partsOf.get(full) ?? new Map()).set(name, fact));
  }
  return new Map(
    tables.rows.map(([database, table, names]) => {
      const full = `${String(database)}.${String(table)}`;
      const columnNames = (names as readonly unknown[]).map(String);
      return [full, { columnNames, parts: partsOf.get(full) ?? new Map() }];
    }),
  );
}

/** The parts of the table in use. */
export function partsInUse(facts: PartFacts, table: Pick<Table, "database" | "name">): TableParts {
  const { columnNames = [], parts } = facts.get(`${table.database}.${table.name}`) ?? {};
  return totalOf(
    columnNames,
    [...(parts?.values() ?? [])].filter((p) => p.isActive),
  );
}

/**
 * What a backup holds of a table.
 * @param inBackup names of its parts in the backup's own metadata
 * @param looks facts of before and after the backup: what was merged in between is in one of them
 */
export function partsInBackup(
  fullName: string,
  inBackup: ReadonlySet<string>,
  looks: readonly PartFacts[],
): TableParts | NotCompared {
  const seen = looks.flatMap((look) => look.get(fullName) ?? []);
  const [first] = seen;
  if (first === undefined) return { notCompared: "it was there only while the backup ran" };
  if (seen.some(({ columnNames }) => columnNames.join("\0") !== first.columnNames.join("\0")))
    return { notCompared: "its columns changed while the backup ran" };
  const found: PartFact[] = [];
  for (const name of inBackup) {
    const [fact, ...others] = seen.flatMap(({ parts }) => parts.get(name) ?? []);
    if (fact === undefined) return { notCompared: "parts were written and merged while the backup ran" };
    // A table dropped and made anew begins to count its parts again.
    if (others.some((other) => other.hash !== fact.hash))
      return { notCompared: "it was made anew while the backup ran" };
    found.push(fact);
  }
  return totalOf(first.columnNames, found);
}

function totalOf(columnNames: readonly string[], parts: readonly PartFact[]): TableParts {
  const filled = parts.filter((p) => p.rows > 0);
  const lines = filled.map((p) => `${p.hash}\n`).sort();
  return {
    columnNames,
    rows: filled.reduce((sum, p) => sum + p.rows, 0),
    parts: filled.length,
    partsSha256: createHash("sha256").update(lines.join("")).digest("hex"),
  };
}
