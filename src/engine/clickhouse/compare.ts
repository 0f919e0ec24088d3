/** A restored server against the sums of the capture: every column of every table is read. */
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { Connection } from "./connection.ts";
import { type ReadOptions, type Recorded, sumsOf, total } from "./hashes.ts";
import { holdsRows, splitName } from "./tables.ts";

/** Two checks: that everything could be read, and that it is what the source held. */
export async function compareTables(
  connection: Connection,
  manifest: Manifest,
  options: ReadOptions,
): Promise<readonly Check[]> {
  const recorded = (manifest.engine["tables"] ?? {}) as Readonly<Record<string, Recorded>>;
  const engines = (manifest.engine["engines"] ?? {}) as Readonly<Record<string, string>>;
  const databases = (manifest.engine["databases"] ?? []) as readonly string[];
  const unreadable: string[] = [];
  const different: string[] = [];
  const notCompared: string[] = [];
  let rowsRead = 0;
  let columnsRead = 0;
  let equal = 0;
  for (const [full, wanted] of Object.entries(recorded)) {
    const engine = engines[full] ?? "";
    const [database, name] = splitName(full, databases);
    const table = { database, name, engine, totalBytes: 0 };
    if (!holdsRows(table)) continue;
    try {
      const sums = await sumsOf(connection, table, options);
      const found = total(sums.names, sums.parts.values());
      rowsRead += found.rows;
      columnsRead += sums.names.length - 1;
      if ("notCompared" in wanted) {
        notCompared.push(`${full} (${wanted.notCompared})`);
        continue;
      }
      const wrong = differenceOf(wanted, found);
      if (wrong === undefined) equal += 1;
      else different.push(`${full}: ${wrong}`);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
      unreadable.push(`${full}: ${error.message.slice(0, 300)}`);
    }
  }
  const left = notCompared.length === 0 ? "" : `; not compared: ${notCompared.slice(0, 3).join(", ")}`;
  return [
    {
      name: "every column read",
      ok: unreadable.length === 0,
      detail:
        unreadable.length === 0
          ? `${rowsRead} rows, ${columnsRead} columns`
          : `${unreadable.length} tables cannot be read: ${unreadable.slice(0, 3).join("; ")}`,
    },
    {
      name: "counts and hashes",
      ok: different.length === 0,
      detail:
        different.length === 0
          ? `${equal} tables as they were at the source${left}`
          : `${different.length} tables are not what the source held: ${different.slice(0, 5).join("; ")}`,
    },
  ];
}

function differenceOf(
  wanted: Extract<Recorded, { rows: number }>,
  found: Extract<Recorded, { rows: number }>,
): string | undefined {
  if (found.rows !== wanted.rows) return `${found.rows} rows instead of ${wanted.rows}`;
  const names = [...new Set([...Object.keys(wanted.columns), ...Object.keys(found.columns)])];
  const wrong = names.filter((name) => wanted.columns[name] !== found.columns[name]);
  return wrong.length === 0 ? undefined : `other values in ${wrong.slice(0, 5).join(", ")}`;
}
