/** From a policy's connection to client settings and to the environment of the vendor's programs. */
import pg from "pg";
import { HoldfastError } from "../../errors.ts";
import type { SecretReference } from "../../policy/model.ts";
import type { EngineContext } from "../engine.ts";

export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
  readonly sslMode: string;
  readonly sslRootCert?: string;
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}

/** The policy's own settings with the schema's defaults. @throws key-missing */
export async function connectionOf(context: EngineContext): Promise<Connection> {
  const given = context.policy.connection;
  const reference = given["passwordFrom"] as SecretReference | undefined;
  const rootCert = text(given["sslRootCert"], "");
  return {
    host: text(given["host"], "127.0.0.1"),
    port: typeof given["port"] === "number" ? given["port"] : 5432,
    user: text(given["user"], "postgres"),
    database: text(given["database"], "postgres"),
    sslMode: text(given["sslMode"], "prefer"),
    ...(rootCert === "" ? {} : { sslRootCert: rootCert }),
    ...(reference === undefined ? {} : { password: await context.secret(reference) }),
  };
}

/** libpq's variables: the password never stands in an argument. */
export function libpqEnvironment(connection: Connection, application: string): Record<string, string> {
  return {
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGDATABASE: connection.database,
    PGSSLMODE: connection.sslMode,
    PGAPPNAME: application,
    PGCONNECT_TIMEOUT: "10",
    ...(connection.sslRootCert === undefined ? {} : { PGSSLROOTCERT: connection.sslRootCert }),
    ...(connection.password === undefined ? {} : { PGPASSWORD: connection.password }),
  };
}

/** node-postgres has no "prefer": it asks for TLS or does not. */
function sslOf(connection: Connection): boolean | { readonly rejectUnauthorized: boolean } {
  if (connection.sslMode === "verify-full" || connection.sslMode === "verify-ca")
    return { rejectUnauthorized: true };
  return connection.sslMode === "require" ? { rejectUnauthorized: false } : false;
}

/**
 * Calls `work` with an open client and closes it.
 * @throws source-unreachable when no connection can be made; a failing statement throws as it is
 */
export async function withClient<T>(
  connection: Connection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    database: connection.database,
    ...(connection.password === undefined ? {} : { password: connection.password }),
    ssl: sslOf(connection),
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    application_name: "holdfast",
  });
  // A server that goes away between two statements is seen by the next one.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    await client.end().catch(() => undefined);
    const where = `${connection.host}:${connection.port}`;
    throw new HoldfastError(
      "source-unreachable",
      `PostgreSQL at ${where} cannot be reached: ${reasonOf(cause)}`,
      { cause },
    );
  }
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error && error.message !== ""
    ? error.message
    : String((error as { code?: unknown }).code ?? error);
}

/** The first column of the first row as text; empty when there is none. */
export async function askText(client: pg.Client, statement: string): Promise<string> {
  const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
  return String(rows[0]?.[0] ?? "");
}
