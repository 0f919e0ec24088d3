/** What a server says of itself, in INFO and CONFIG GET. */
import { ErrorReply } from "@redis/client";
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { Client } from "./connection.ts";

export interface ServerFacts {
  readonly version: string;
  /** The replication's id: a primary and its replicas have one, a restart or a promotion makes a new one. */
  readonly identity: string;
  readonly role: string;
  /** Of a replica only. */
  readonly link?: {
    readonly isUp: boolean;
    readonly isSyncing: boolean;
    /** Seconds since the primary was heard last. */
    readonly silentSeconds: number;
  };
  readonly isLoading: boolean;
  readonly usedMemoryBytes: number;
  readonly keysCount: number;
  /** Undefined where the user may not read the configuration. */
  readonly config?: Readonly<Record<string, string>>;
  readonly info: Readonly<Record<string, string>>;
}

/** `name:value` lines. */
export function parseInfo(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) found[line.slice(0, colon)] = line.slice(colon + 1);
  }
  return found;
}

/** Keys of all databases; `db0:keys=3,expires=1,avg_ttl=0`. */
export function keysIn(info: Readonly<Record<string, string>>): number {
  return Object.entries(info)
    .filter(([name]) => /^db\d+$/.test(name))
    .reduce((sum, [, value]) => sum + Number(/keys=(\d+)/.exec(value)?.[1] ?? 0), 0);
}

export async function readFacts(client: Client): Promise<ServerFacts> {
  const info = parseInfo(String(await client.command("INFO", "everything")));
  const config = await readConfig(client);
  const isReplica = info["role"] === "slave";
  return {
    version: info["redis_version"] ?? "",
    identity: info["master_replid"] ?? info["run_id"] ?? "",
    role: isReplica ? "replica" : "primary",
    ...(isReplica
      ? {
          link: {
            isUp: info["master_link_status"] === "up",
            isSyncing: info["master_sync_in_progress"] === "1",
            silentSeconds: Number(info["master_last_io_seconds_ago"] ?? -1),
          },
        }
      : {}),
    isLoading: info["loading"] === "1",
    usedMemoryBytes: Number(info["used_memory"] ?? 0),
    keysCount: keysIn(info),
    ...(config === undefined ? {} : { config }),
    info,
  };
}

/** Asked one by one: before 7 a server takes one name at a time. */
const settings = ["save", "appendonly", "appendfsync", "auto-aof-rewrite-percentage", "dir", "appenddirname"];

async function readConfig(client: Client): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const found: Record<string, string> = {};
    for (const name of settings) Object.assign(found, pairsOf(await client.command("CONFIG", "GET", name)));
    return found;
  } catch (error) {
    if (error instanceof ErrorReply) return undefined;
    throw error;
  }
}

/** An answer in pairs: a flat list, or what a client has made of a map. */
export function pairsOf(answer: unknown): Readonly<Record<string, string>> {
  if (!Array.isArray(answer)) {
    return Object.fromEntries(Object.entries(Object(answer)).map(([name, value]) => [name, String(value)]));
  }
  const found: Record<string, string> = {};
  for (let at = 0; at + 1 < answer.length; at += 2) found[String(answer[at])] = String(answer[at + 1]);
  return found;
}

/** The server's clock. */
export async function serverNow(client: Client): Promise<Instant> {
  const [seconds, microseconds] = (await client.command("TIME")) as readonly [string, string];
  return instant(Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000));
}
