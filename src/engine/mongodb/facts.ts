/** What a capture, a look and a receiver need to know of the source server. */
import { type MongoClient, MongoServerError, Timestamp } from "mongodb";
import { damaged } from "./bson.ts";
import { type OplogEntry, type Position, readEntry } from "./oplog.ts";

export interface OplogSize {
  readonly sizeBytes: number;
  /** 0 where the server does not say, and where nobody has asked. */
  readonly limitBytes: number;
}

export interface OplogFacts extends OplogSize {
  readonly oldest: OplogEntry;
  readonly newest: OplogEntry;
}

export interface ServerFacts {
  readonly version: string;
  /** Name of the replica set; undefined for a server that is in none. */
  readonly replicaSet?: string;
  /** The set's name and, where we may read it, its own id. */
  readonly identity: string;
  readonly nowMs: number;
  /** Undefined where there is no oplog or nothing in it. */
  readonly oplog?: OplogFacts;
  /** Names of the roles this user has; undefined where the server knows no users. */
  readonly roles?: readonly string[];
}

export interface SourceCollection {
  readonly database: string;
  readonly collection: string;
  readonly isView: boolean;
}

interface Hello {
  readonly setName?: string;
  readonly localTime?: Date;
  readonly lastWrite?: { readonly majorityOpTime?: { readonly ts?: Timestamp } };
}

/** 13: not allowed, 59: no such command, 26: no such collection, 115: not here. */
const unknowable = new Set<number | string | undefined>([13, 26, 59, 76, 115]);

async function ifAllowed<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (error instanceof MongoServerError && unknowable.has(error.code)) return undefined;
    throw error;
  });
}

/** The server's own clock, in milliseconds. */
export async function serverNowMs(client: MongoClient): Promise<number> {
  const hello = (await client.db("admin").command({ hello: 1 })) as Hello;
  return hello.localTime?.getTime() ?? Date.now();
}

export async function readFacts(client: MongoClient): Promise<ServerFacts> {
  const [facts, size, roles] = await Promise.all([
    readIdentity(client),
    readOplogSize(client),
    readRoles(client),
  ]);
  return {
    ...facts,
    ...(facts.oplog === undefined ? {} : { oplog: { ...facts.oplog, ...size } }),
    ...(roles === undefined ? {} : { roles }),
  };
}

/** The facts without roles and without the oplog's size, for which some servers look at every page of it. */
export async function readIdentity(client: MongoClient): Promise<ServerFacts> {
  const admin = client.db("admin");
  const [hello, build] = await Promise.all([
    admin.command({ hello: 1 }) as Promise<Hello>,
    admin.command({ buildInfo: 1 }) as Promise<{ readonly version?: string }>,
  ]);
  const replicaSet = hello.setName === "" ? undefined : hello.setName;
  const [setId, edges] =
    replicaSet === undefined ? [] : await Promise.all([readSetId(client), readEdges(client)]);
  return {
    version: build.version ?? "unknown",
    identity: [replicaSet ?? "standalone", ...(setId === undefined ? [] : [setId])].join(" "),
    nowMs: hello.localTime?.getTime() ?? Date.now(),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(edges === undefined ? {} : { oplog: { ...edges, sizeBytes: 0, limitBytes: 0 } }),
  };
}

async function readSetId(client: MongoClient): Promise<string | undefined> {
  const answer = await ifAllowed(client.db("admin").command({ replSetGetConfig: 1 }));
  const settings = (answer?.["config"] as { settings?: { replicaSetId?: unknown } } | undefined)?.settings;
  return settings?.replicaSetId === undefined ? undefined : String(settings.replicaSetId);
}

async function readRoles(client: MongoClient): Promise<readonly string[] | undefined> {
  const answer = await ifAllowed(client.db("admin").command({ connectionStatus: 1 }));
  const info = answer?.["authInfo"] as
    | {
        readonly authenticatedUsers?: readonly unknown[];
        readonly authenticatedUserRoles?: readonly { readonly role: string }[];
      }
    | undefined;
  if (info?.authenticatedUsers === undefined || info.authenticatedUsers.length === 0) return undefined;
  return (info.authenticatedUserRoles ?? []).map((r) => r.role);
}

async function readEdges(client: MongoClient): Promise<Pick<OplogFacts, "oldest" | "newest"> | undefined> {
  const [oldest, newest] = await Promise.all([edgeOf(client, 1), edgeOf(client, -1)]);
  return oldest === undefined || newest === undefined ? undefined : { oldest, newest };
}

export async function readOplogSize(client: MongoClient): Promise<OplogSize> {
  const stats = await ifAllowed(client.db("local").command({ collStats: "oplog.rs" }));
  return { sizeBytes: Number(stats?.["size"] ?? 0), limitBytes: Number(stats?.["maxSize"] ?? 0) };
}

/** The first (1) or last (-1) entry of the oplog. */
async function edgeOf(client: MongoClient, order: 1 | -1): Promise<OplogEntry | undefined> {
  const found = await client
    .db("local")
    .collection("oplog.rs")
    .find({}, { raw: true })
    .sort({ $natural: order })
    .limit(1)
    .toArray();
  const document = found[0] as unknown;
  return document === undefined ? undefined : readEntry(asBuffer(document));
}

/** What the driver gives with `raw`. */
export function asBuffer(document: unknown): Buffer {
  if (document instanceof Uint8Array)
    return Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  throw damaged("the driver gave none");
}

/**
 * The newest position a majority of the set has, so that no failover takes it back; the newest of all where
 * the server does not say. Undefined for an empty oplog.
 */
export async function committedPosition(client: MongoClient): Promise<Position | undefined> {
  const hello = (await client.db("admin").command({ hello: 1 })) as Hello;
  const majority = hello.lastWrite?.majorityOpTime?.ts;
  if (majority !== undefined) return { seconds: majority.t, ordinal: majority.i };
  return (await edgeOf(client, -1))?.at;
}

export function asTimestamp({ seconds, ordinal }: Position): Timestamp {
  return new Timestamp({ t: seconds, i: ordinal });
}

/** Everything a dump must hold, databases of the server's own left out. */
export async function listCollections(client: MongoClient): Promise<readonly SourceCollection[]> {
  const { databases } = await client.db("admin").admin().listDatabases({ nameOnly: true });
  const found: SourceCollection[] = [];
  for (const { name } of databases) {
    if (name === "local" || name === "config" || name === "admin") continue;
    for (const { name: collection, type } of await client
      .db(name)
      .listCollections({}, { nameOnly: true })
      .toArray()) {
      if (collection.startsWith("system.")) continue;
      found.push({ database: name, collection, isView: type === "view" });
    }
  }
  return found;
}

/** Bytes of all documents as the server counts them. */
export async function dataBytes(client: MongoClient): Promise<number> {
  const { databases } = await client.db("admin").admin().listDatabases({ nameOnly: true });
  let sum = 0;
  for (const { name } of databases) {
    if (name === "local") continue;
    const stats = await ifAllowed(client.db(name).command({ dbStats: 1 }));
    sum += Number(stats?.["dataSize"] ?? 0) + Number(stats?.["indexSize"] ?? 0);
  }
  return sum;
}
