/** ClickHouse over its HTTP interface, through the vendor's own client; one short-lived client per statement. */
import { readFile } from "node:fs/promises";
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from "@clickhouse/client";
import { HoldfastError } from "../../errors.ts";
import type { SecretReference } from "../../policy/model.ts";
import { redact, rememberSecret } from "../../secret.ts";
import type { EngineContext } from "../engine.ts";

export interface Connection {
  readonly host: string;
  /** Of the HTTP interface. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly isTls: boolean;
  /** PEM of the authority to trust beside the system's own. */
  readonly ca?: Buffer;
}

/** Columns by their type, rows by position. */
export interface Answer {
  readonly types: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly database?: string;
  readonly settings?: ClickHouseSettings;
}

const usualTimeoutMs = 60_000;

/** Settings in the form of the policy's `connection`. @throws key-missing, usage */
export async function connectionFrom(
  context: Pick<EngineContext, "secret">,
  given: Readonly<Record<string, unknown>>,
): Promise<Connection> {
  const reference = given["passwordFrom"] as SecretReference | undefined;
  const isTls = given["secure"] === true;
  const caFile = given["caFile"];
  const ca =
    typeof caFile === "string"
      ? await readFile(caFile).catch((cause: unknown) => {
          throw new HoldfastError("usage", `connection.caFile '${caFile}' cannot be read`, { cause });
        })
      : undefined;
  return {
    host: typeof given["host"] === "string" ? given["host"] : "127.0.0.1",
    port: typeof given["port"] === "number" ? given["port"] : isTls ? 8443 : 8123,
    user: typeof given["user"] === "string" ? given["user"] : "default",
    password: reference === undefined ? "" : await context.secret(reference),
    isTls,
    ...(ca === undefined ? {} : { ca }),
  };
}

/** @throws key-missing, usage */
export function connectionOf(context: EngineContext): Promise<Connection> {
  return connectionFrom(context, context.policy.connection);
}

/**
 * Runs one statement that gives rows.
 * @throws source-unreachable when nobody answers or the login is refused; tool-failed with the server's own
 *   words for a statement that fails; interrupted
 */
export function ask(connection: Connection, statement: string, options: AskOptions = {}): Promise<Answer> {
  return withClient(connection, options, async (client) => {
    const result = await client.query({
      query: statement,
      format: "JSONCompact",
      ...(options.signal === undefined ? {} : { abort_signal: options.signal }),
      ...(options.settings === undefined ? {} : { clickhouse_settings: options.settings }),
    });
    const { meta = [], data } = await result.json<readonly unknown[]>();
    return { types: meta.map((column) => column.type), rows: data };
  });
}

/** Runs a statement that changes something. @throws as {@link ask} */
export function run(connection: Connection, statement: string, options: AskOptions = {}): Promise<void> {
  return withClient(connection, options, async (client) => {
    await client.command({
      query: statement,
      ...(options.signal === undefined ? {} : { abort_signal: options.signal }),
      ...(options.settings === undefined ? {} : { clickhouse_settings: options.settings }),
    });
  });
}

/** The first column of the first row as text; empty when there is none. @throws as {@link ask} */
export async function askText(
  connection: Connection,
  statement: string,
  options?: AskOptions,
): Promise<string> {
  const { rows } = await ask(connection, statement, options);
  return String(rows[0]?.[0] ?? "");
}

async function withClient<T>(
  connection: Connection,
  options: AskOptions,
  work: (client: ClickHouseClient) => Promise<T>,
): Promise<T> {
  if (connection.password !== "") rememberSecret(connection.password);
  const { host, port, user, password, isTls, ca } = connection;
  const timeoutMs = options.timeoutMs ?? usualTimeoutMs;
  const client = createClient({
    url: `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    username: user,
    password,
    application: "holdfast",
    request_timeout: timeoutMs,
    keep_alive: { enabled: false },
    log: { level: ClickHouseLogLevel.OFF },
    ...(options.database === undefined || options.database === "" ? {} : { database: options.database }),
    ...(ca === undefined ? {} : { tls: { ca_cert: ca } }),
  });
  try {
    options.signal?.throwIfAborted();
    return await work(client);
  } catch (error) {
    throw asOurs(`ClickHouse at ${host}:${port}`, error, options.signal);
  } finally {
    await client.close();
  }
}

/** By these the server refuses the login itself; asking again with the same password is no use. */
const loginCodes = new Set(["192", "193", "194", "516"]);

function asOurs(where: string, error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof HoldfastError) return error;
  if (signal?.aborted === true)
    return new HoldfastError("interrupted", `${where}: the statement was given up`, { cause: error });
  const words = firstWords(reasonOf(error));
  if (!(error instanceof ClickHouseError)) {
    const isRefused = /\b(401|403)\b|Authentication failed/i.test(words);
    const what = isRefused ? "refuses the login" : "cannot be reached";
    return new HoldfastError("source-unreachable", `${where} ${what}: ${words}`, {
      cause: error,
      ...(isRefused ? { hint: "check connection.user and connection.passwordFrom" } : {}),
    });
  }
  if (loginCodes.has(error.code)) {
    return new HoldfastError("source-unreachable", `${where} refuses the login: ${words}`, {
      cause: error,
      hint: "check connection.user and connection.passwordFrom",
    });
  }
  return new HoldfastError("tool-failed", `${where}: code ${error.code}: ${words}`, { cause: error });
}

/** An exception without its stack trace, one line, without secrets. */
export function firstWords(text: string): string {
  const line = text.split(/,? ?Stack trace/)[0] ?? "";
  return redact(line.replace(/\s+/g, " ").trim()).slice(0, 1000);
}

/** The number of the ClickHouse exception behind a tool-failed error; 0 for any other. */
export function exceptionCode(error: unknown): number {
  return error instanceof HoldfastError && error.cause instanceof ClickHouseError
    ? Number(error.cause.code)
    : 0;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error && error.message !== "" ? error.message : String(error);
}
