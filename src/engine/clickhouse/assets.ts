/**
 * What a data backup leaves out: access rules, user-defined functions, named collections, changed settings.
 * Each is a small encrypted artifact of its own. Password hashes are in the access rules, as the server
 * prints them; the values of named collections are hidden by the server and stay there.
 */
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import { redact } from "../../secret.ts";
import type { EngineContext } from "../engine.ts";
import { ask, type Connection } from "./connection.ts";

interface Asset {
  readonly artifact: string;
  readonly what: string;
  readonly statement: string;
  /** Of the rows. */
  readonly text: (rows: readonly (readonly unknown[])[]) => string;
}

const json = (rows: readonly (readonly unknown[])[]): string => `${JSON.stringify(rows, null, 1)}\n`;
const statements = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((r) => `${String(r[0])};\n`).join("");

const assets: readonly Asset[] = [
  { artifact: "access.sql", what: "access rules", statement: "SHOW ACCESS", text: statements },
  {
    artifact: "functions.sql",
    what: "user-defined functions",
    statement: "SELECT create_query FROM system.functions WHERE origin = 'SQLUserDefined' ORDER BY name",
    text: statements,
  },
  {
    artifact: "named-collections.json",
    what: "names and keys of named collections",
    statement: "SELECT name, mapKeys(collection) FROM system.named_collections ORDER BY name",
    text: json,
  },
  {
    artifact: "settings.json",
    what: "changed settings",
    statement:
      "SELECT 'server', name, value FROM system.server_settings WHERE changed AND NOT match(name, '(?i)password|secret|key') UNION ALL SELECT 'profile', name, value FROM system.settings WHERE changed AND NOT match(name, '(?i)password|secret|key') ORDER BY 1, 2",
    text: json,
  },
];

/** What became of each, for the manifest: `stored`, `none` there, or why it could not be read. */
export async function storeAssets(
  context: EngineContext,
  connection: Connection,
  sink: ArtifactSink,
): Promise<Readonly<Record<string, string>>> {
  const outcome: Record<string, string> = {};
  for (const { artifact, what, statement, text } of assets) {
    if (context.policy.encryption.recipients.length === 0) {
      outcome[what] = "left out: the policy names no recipient to encrypt them for";
      continue;
    }
    let rows: readonly (readonly unknown[])[];
    try {
      ({ rows } = await ask(connection, statement, { signal: context.signal }));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
      outcome[what] = `not readable: ${error.message.slice(0, 300)}`;
      continue;
    }
    if (rows.length > 0) await sink.fromBytes(artifact, Buffer.from(redact(text(rows))));
    outcome[what] = rows.length > 0 ? "stored" : "none";
  }
  return outcome;
}
