/**
 * A restored server against what was recorded at capture. Every column of every table is read; where the parts of the
 * source are known the server sums up each file of each part, and the parts must be those of the source.
 */
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { ask, type Connection } from "./connection.ts";
import { type NotCompared, type ReadOptions, sumsOf, type TableSum } from "./hashes.ts";
import { type PartFacts, partFacts, partsInUse, type TableParts } from "./part-facts.ts";
import { named } from "./sql.ts";
import { hasParts, holdsRows, splitName, type Table } from "./tables.ts";

/** Sums of tables with parts are in points of older versions. */
type Recorded = TableSum | TableParts | NotCompared;

interface Findings {
  readonly unreadable: string[];
  readonly damaged: string[];
  readonly different: string[];
  readonly notCompared: string[];
  rowsRead: number;
  columnsRead: number;
  partsChecked: number;
  equal: number;
}

/** Three checks: that everything could be read, that the files fit their sums, and that it is what the source held. */
export async function compareTables(
  connection: Connection,
  manifest: Manifest,
  options: ReadOptions,
): Promise<readonly Check[]> {
  const recorded = (manifest.engine["tables"] ?? {}) as Readonly<Record<string, Recorded>>;
  const engines = (manifest.engine["engines"] ?? {}) as Readonly<Record<string, string>>;
  const databases = (manifest.engine["databases"] ?? []) as readonly string[];
  const found: Findings = {
    unreadable: [],
    damaged: [],
    different: [],
    notCompared: [],
    rowsRead: 0,
    columnsRead: 0,
    partsChecked: 0,
    equal: 0,
  };
  const parts = await partFacts(connection, options.signal);
  for (const [full, wanted] of Object.entries(recorded)) {
    const [database, name] = splitName(full, databases);
    const table = { database, name, engine: engines[full] ?? "" };
    if (!holdsRows(table)) continue;
    try {
      await compareTable(connection, { full, table, wanted, parts }, options, found);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
      found.unreadable.push(`${full}: ${error.message.slice(0, 300)}`);
    }
  }
  return checksOf(found);
}

async function compareTable(
  connection: Connection,
  what: {
    readonly full: string;
    readonly table: Pick<Table, "database" | "name" | "engine">;
    readonly wanted: Recorded;
    readonly parts: PartFacts;
  },
  options: ReadOptions,
  found: Findings,
): Promise<void> {
  const { full, table, wanted, parts } = what;
  if (hasParts(table)) {
    const { count, damaged } = await checkParts(connection, table, options);
    found.partsChecked += count;
    found.damaged.push(...damaged.map((words) => `${full}: ${words}`));
  }
  const sums = await sumsOf(connection, table, options);
  found.rowsRead += sums.rows;
  found.columnsRead += Object.keys(sums.columns).length - 1;
  if ("notCompared" in wanted) {
    found.notCompared.push(`${full} (${wanted.notCompared})`);
    return;
  }
  const wrong =
    "columns" in wanted ? differentSums(wanted, sums) : differentParts(wanted, partsInUse(parts, table));
  if (wrong === undefined) found.equal += 1;
  else found.different.push(`${full}: ${wrong}`);
}

/** The server reads each file of each part and compares it with the part's own sums. */
async function checkParts(
  connection: Connection,
  { database, name }: Pick<Table, "database" | "name">,
  options: ReadOptions,
): Promise<{ readonly count: number; readonly damaged: readonly string[] }> {
  const { rows } = await ask(
    connection,
    `CHECK TABLE ${named(database)}.${named(name)} SETTINGS check_query_single_value_result = 0`,
    options,
  );
  const damaged = rows
    .filter(([, isPassed]) => String(isPassed) !== "1" && isPassed !== true)
    .map(([part, , words]) => `part ${String(part)}: ${String(words).slice(0, 300)}`);
  return { count: rows.length, damaged };
}

function checksOf(found: Findings): readonly Check[] {
  const left =
    found.notCompared.length === 0 ? "" : `; not compared: ${found.notCompared.slice(0, 3).join(", ")}`;
  return [
    check(
      "every column read",
      found.unreadable,
      `${found.rowsRead} rows, ${found.columnsRead} columns`,
      "tables cannot be read",
    ),
    check(
      "files of every part",
      found.damaged,
      `${found.partsChecked} parts, each file as its part's sums say`,
      "parts do not fit their own sums",
    ),
    check(
      "counts and hashes",
      found.different,
      `${found.equal} tables as they were at the source${left}`,
      "tables are not what the source held",
    ),
  ];
}

function check(name: string, wrong: readonly string[], good: string, bad: string): Check {
  const ok = wrong.length === 0;
  return { name, ok, detail: ok ? good : `${wrong.length} ${bad}: ${wrong.slice(0, 5).join("; ")}` };
}

function differentSums(wanted: TableSum, found: TableSum): string | undefined {
  if (found.rows !== wanted.rows) return `${found.rows} rows instead of ${wanted.rows}`;
  const names = [...new Set([...Object.keys(wanted.columns), ...Object.keys(found.columns)])];
  const wrong = names.filter((name) => wanted.columns[name] !== found.columns[name]);
  return wrong.length === 0 ? undefined : `other values in ${wrong.slice(0, 5).join(", ")}`;
}

function differentParts(wanted: TableParts, found: TableParts): string | undefined {
  const names = new Set([...wanted.columnNames, ...found.columnNames]);
  const odd = [...names].filter((n) => wanted.columnNames.includes(n) !== found.columnNames.includes(n));
  if (odd.length > 0) return `other columns: ${odd.slice(0, 5).join(", ")}`;
  if (found.rows !== wanted.rows) return `${found.rows} rows instead of ${wanted.rows}`;
  if (found.parts !== wanted.parts) return `${found.parts} parts instead of ${wanted.parts}`;
  return found.partsSha256 === wanted.partsSha256 ? undefined : "its parts are not those of the source";
}
