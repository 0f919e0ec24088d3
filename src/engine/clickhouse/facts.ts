/** What the server says of itself, and what stands in the way of a backup. */
import { HoldfastError } from "../../errors.ts";
import { ask, askText, type Connection } from "./connection.ts";

/** The oldest that is taken. Only 26.7 was tried, as docs/components/clickhouse.md says. */
export const oldestVersion = [24, 3] as const;

export interface ServerFacts {
  readonly version: string;
  readonly identity: string;
}

export async function readFacts(connection: Connection, signal: AbortSignal): Promise<ServerFacts> {
  const [version, identity] = await Promise.all([
    askText(connection, "SELECT version()", { signal }),
    // Old servers do not know the function; they are told apart by their version alone.
    askText(connection, "SELECT toString(serverUUID())", { signal }).catch((error: unknown) => {
      if (error instanceof HoldfastError && error.code === "tool-failed") return "unknown";
      throw error;
    }),
  ]);
  return { version, identity };
}

export function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]);
}

/** Parts the server has set aside because they are damaged; rows in them are in no backup. */
export async function brokenParts(connection: Connection, signal: AbortSignal): Promise<readonly string[]> {
  const { rows } = await ask(
    connection,
    `SELECT database || '.' || table || ' ' || name || ' (' || reason || ')' FROM system.detached_parts
     WHERE match(ifNull(reason, ''), '^(broken|noquorum|unexpected|covered-by-broken)') OR startsWith(name, 'broken') ORDER BY 1 LIMIT 100`,
    { signal },
  );
  return rows.map((r) => String(r[0]));
}
