/** From a policy's connection to client settings and to the environment of the vendor's programs. */
import { readFile } from "node:fs/promises";
import type { ConnectionOptions } from "node:tls";
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

/**
 * What libpq does for the same mode, as the driver's options, the first to try first. @see PostgreSQL manual,
 * "SSL Support": "prefer" falls back, "require" with a root certificate verifies like "verify-ca".
 */
async function tlsChoices(connection: Connection): Promise<readonly (boolean | ConnectionOptions)[]> {
  const { sslMode, sslRootCert, host } = connection;
  if (sslMode === "disable" || host.startsWith("/")) return [false];
  const unverified = { rejectUnauthorized: false };
  if (sslMode === "prefer") return [unverified, false];
  if (sslMode === "allow") return [false, unverified];
  if (sslMode === "require" && sslRootCert === undefined) return [unverified];
  const isOwn = sslRootCert !== undefined && sslRootCert !== "system";
  const verified = { rejectUnauthorized: true, ...(isOwn ? { ca: await readRoot(sslRootCert) } : {}) };
  return [sslMode === "verify-full" ? verified : { ...verified, checkServerIdentity: () => undefined }];
}

async function readRoot(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new HoldfastError("usage", `connection.sslRootCert '${path}' cannot be read`, { cause });
  });
}

/** The server speaks no TLS, or its pg_hba.conf has no line for this kind of connection. */
function isOtherTlsWorthTrying(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === "28000" || /does not support SSL/.test(message ?? "");
}

async function connected(connection: Connection): Promise<pg.Client> {
  const choices = await tlsChoices(connection);
  for (let at = 0; ; at += 1) {
    const client = new pg.Client({
      host: connection.host,
      port: connection.port,
      user: connection.user,
      database: connection.database,
      ...(connection.password === undefined ? {} : { password: connection.password }),
      ssl: choices[at] ?? false,
      connectionTimeoutMillis: 10_000,
      statement_timeout: 60_000,
      application_name: "holdfast",
    });
    // A server that goes away between two statements is seen by the next one.
    client.on("error", () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (at + 1 >= choices.length || !isOtherTlsWorthTrying(error)) throw error;
    }
  }
}

/**
 * Calls `work` with an open client and closes it.
 * @throws source-unreachable when no connection can be made; a failing statement throws as it is
 */
export async function withClient<T>(
  connection: Connection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  let client: pg.Client;
  try {
    client = await connected(connection);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
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
