/** From a policy's connection to the client and to redis-cli: one address for both, the password in neither's arguments. */
import { createClient, ErrorReply } from "@redis/client";
import { HoldfastError } from "../../errors.ts";
import type { SecretReference } from "../../policy/model.ts";
import type { EngineContext } from "../engine.ts";

export interface Connection {
  /** Host name, address, or absolute path of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly tls: boolean;
  /** Takes the canary. */
  readonly database: number;
}

/** What the engine asks of a client: one command, its answer. */
export interface Client {
  command(...args: readonly string[]): Promise<unknown>;
}

const connectMs = 10_000;

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

/** What the policy says, with the schema's defaults; the password is left out. */
export function settingsOf(given: Readonly<Record<string, unknown>>): Connection {
  const user = text(given["user"]);
  return {
    host: text(given["host"]) ?? "127.0.0.1",
    port: number(given["port"], 6379),
    tls: given["tls"] === true,
    database: number(given["database"], 0),
    ...(user === undefined ? {} : { user }),
  };
}

/** The policy's own settings and the password. @throws key-missing */
export async function connectionOf(context: EngineContext): Promise<Connection> {
  const given = context.policy.connection;
  const reference = given["passwordFrom"] as SecretReference | undefined;
  return {
    ...settingsOf(given),
    ...(reference === undefined ? {} : { password: await context.secret(reference) }),
  };
}

/** `host:port`, for people. */
export function placeOf({ host, port }: Connection): string {
  return host.startsWith("/") ? host : `${host}:${port}`;
}

/** Arguments and environment that lead redis-cli to the server. @see redis-cli, REDISCLI_AUTH */
export function toolAddress(connection: Connection): {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  const { host, port, user, password, tls } = connection;
  const where = host.startsWith("/") ? ["-s", host] : ["-h", host, "-p", String(port)];
  return {
    args: [...where, ...(user === undefined ? [] : ["--user", user]), ...(tls ? ["--tls"] : [])],
    env: password === undefined ? {} : { REDISCLI_AUTH: password },
  };
}

/**
 * Calls `work` with an open client and closes it.
 * @throws source-unreachable when no connection can be made, it breaks, or the password is refused; tool-failed
 *   with the server's words for a command it refuses
 */
export async function withClient<T>(
  connection: Connection,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port, user, password, tls, database } = connection;
  const timing = { connectTimeout: connectMs, reconnectStrategy: false as const };
  const client = createClient({
    socket: host.startsWith("/")
      ? { path: host, tls: false as const, ...timing }
      : tls
        ? { host, port, tls: true as const, ...timing }
        : { host, port, ...timing },
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
  });
  // Each failure reaches the command that met it as well.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work({ command: (...args) => client.sendCommand([...args]) });
  } catch (error) {
    throw asOurs(connection, error);
  } finally {
    client.destroy();
  }
}

const refusals = /^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/;

function asOurs(connection: Connection, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const words = error instanceof Error ? error.message : String(error);
  const isRefused = refusals.test(words);
  if (error instanceof ErrorReply && !isRefused) {
    return new HoldfastError("tool-failed", `Redis at ${placeOf(connection)} refuses: ${words}`, {
      cause: error,
      hint: words.startsWith("NOPERM")
        ? "docs/components/redis.md has the line that gives the rights"
        : "read the server's own words above",
    });
  }
  return new HoldfastError(
    "source-unreachable",
    `Redis at ${placeOf(connection)} cannot be reached: ${words}`,
    {
      cause: error,
      ...(isRefused
        ? { hint: "check connection.user and passwordFrom; docs/components/redis.md has the rights" }
        : {}),
    },
  );
}
