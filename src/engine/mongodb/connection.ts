/** From a policy's connection to the driver and to the vendor's tools: one address for both, without the password. */
import { MongoClient, MongoNetworkError, MongoServerError, MongoServerSelectionError } from "mongodb";
import { HoldfastError } from "../../errors.ts";
import type { SecretReference } from "../../policy/model.ts";
import type { EngineContext } from "../engine.ts";

export interface Connection {
  /** Host name, address, or absolute path of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly authDatabase: string;
  readonly replicaSet?: string;
  readonly tls: boolean;
  readonly tlsCAFile?: string;
}

const connectMs = 10_000;

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** What the policy says, with the schema's defaults; the password is left out. */
export function settingsOf(given: Readonly<Record<string, unknown>>): Connection {
  const user = text(given["user"]);
  const replicaSet = text(given["replicaSet"]);
  const tlsCAFile = text(given["tlsCAFile"]);
  return {
    host: text(given["host"]) ?? "127.0.0.1",
    port: typeof given["port"] === "number" ? given["port"] : 27017,
    authDatabase: text(given["authDatabase"]) ?? "admin",
    tls: given["tls"] === true,
    ...(user === undefined ? {} : { user }),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(tlsCAFile === undefined ? {} : { tlsCAFile }),
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

/** Without user and password, so that it may stand in an argument. */
export function uriOf(connection: Connection, extra: Readonly<Record<string, string>> = {}): string {
  const { host, port, replicaSet, tls, tlsCAFile, user, authDatabase } = connection;
  const isAddressWithColons = host.includes(":") && !host.startsWith("[");
  const where = host.startsWith("/")
    ? encodeURIComponent(host)
    : `${isAddressWithColons ? `[${host}]` : host}:${port}`;
  const options = new URLSearchParams({
    ...(replicaSet === undefined ? { directConnection: "true" } : { replicaSet }),
    ...(tls ? { tls: "true" } : {}),
    ...(tlsCAFile === undefined ? {} : { tlsCAFile }),
    ...(user === undefined ? {} : { authSource: authDatabase }),
    ...extra,
  });
  return `mongodb://${where}/?${options.toString()}`;
}

/**
 * Calls `work` with an open client and closes it. The primary is asked unless `readPreference` says otherwise.
 * @throws source-unreachable when no connection can be made or it breaks; a refused command throws as it is
 */
export async function withClient<T>(
  connection: Connection,
  work: (client: MongoClient) => Promise<T>,
  readPreference = "primaryPreferred",
): Promise<T> {
  const { user, password } = connection;
  const client = new MongoClient(uriOf(connection, { readPreference }), {
    appName: "holdfast",
    serverSelectionTimeoutMS: connectMs,
    connectTimeoutMS: connectMs,
    maxPoolSize: 2,
    // Retrying is ours: the receiver must see each break.
    retryReads: false,
    ...(user === undefined ? {} : { auth: { username: user, password: password ?? "" } }),
  });
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw asOurs(connection, error);
  } finally {
    await client.close().catch(() => undefined);
  }
}

function asOurs(connection: Connection, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const isAway = error instanceof MongoServerSelectionError || error instanceof MongoNetworkError;
  // 18: the password is wrong; a server that ends or steps down tells so by a label.
  const isRefused = error instanceof MongoServerError && error.code === 18;
  const isPassing = error instanceof MongoServerError && error.hasErrorLabel("RetryableWriteError");
  if (!isAway && !isRefused && !isPassing) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new HoldfastError(
    "source-unreachable",
    `MongoDB at ${placeOf(connection)} cannot be reached: ${why}`,
    {
      cause: error,
      ...(isRefused
        ? { hint: "check connection.user, passwordFrom and authDatabase; the user needs the role backup" }
        : {}),
    },
  );
}
