/** Real Redis servers on free ports, each with an empty folder, gone after `stop`. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canaryKey } from "../../src/engine/redis/canary.ts";
import { type Client, settingsOf, withClient } from "../../src/engine/redis/connection.ts";
import type { Policy } from "../../src/policy/model.ts";
import { freePort } from "./ports.ts";
import { killed, until } from "./waiting.ts";
import { policyFor } from "./world.ts";

/** Programs of Redis 7 are Debian's; of 8 they come into the cache. */
export function redisPrograms(major: 7 | 8): string | undefined {
  if (major === 7) return "/usr/bin";
  const script = fileURLToPath(new URL("../../.ci/redis-8.sh", import.meta.url));
  try {
    return execFileSync("sh", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

export interface TestRedis {
  readonly port: number;
  readonly directory: string;
  readonly programs: string;
  ask<T>(work: (client: Client) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

export interface RedisOptions {
  readonly programs?: string;
  readonly password?: string;
  /** Starts on this folder and leaves it there. */
  readonly directory?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const { programs = "/usr/bin", password } = options;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "holdfast-redis-"));
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    // What a replica waits for others to come along; alone it only waits.
    "repl-diskless-sync-delay": "0",
    "enable-debug-command": "local",
    ...options.settings,
  };
  const child = spawn(
    join(programs, "redis-server"),
    // By standard input, so that the password stands in no argument.
    ["-"],
    { stdio: ["pipe", "ignore", "inherit"] },
  );
  const secret = password === undefined ? [] : [["requirepass", password] as const];
  for (const [name, value] of [...Object.entries(settings), ...secret])
    child.stdin.write(`${name} ${JSON.stringify(value)}\n`);
  child.stdin.end();
  const connection = { ...settingsOf({ port }), ...(password === undefined ? {} : { password }) };
  const stop = async (): Promise<void> => {
    await killed(child);
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const redis: TestRedis = {
    port,
    directory,
    programs,
    ask: (work) => withClient(connection, work),
    stop: async () => {
      process.removeListener("exit", last);
      await stop();
    },
  };
  await until(async () =>
    redis
      .ask((client) => client.command("PING"))
      .then(
        (answer) => answer === "PONG",
        () => false,
      ),
  );
  return redis;
}

export function redisPolicy(
  redis: Pick<TestRedis, "port" | "programs">,
  changes: Partial<Policy> = {},
): Policy {
  const { log: _, ...general } = policyFor({ port: 0, binDirectory: "" });
  return {
    ...general,
    name: "redis",
    component: "redis",
    connection: { host: "127.0.0.1", port: redis.port },
    objectives: { ...general.objectives, rpoMs: 75 * 60_000, pitrWindowMs: 0 },
    schedule: { kind: "cron", cron: "0 * * * *", timeZone: "Etc/UTC" },
    capture: { method: "rdb", codec: "zstd", level: 1, options: { toolDirectory: redis.programs } },
    store: { name: "primary", prefix: "redis/" },
    assertions: [{ sql: "DBSIZE > 0", database: "0" }],
    canaryEveryMs: 0,
    ...changes,
  };
}

/** The same for equal data, whatever the server's version and its way of keeping them; canaries do not count. */
export async function contentsOf(client: Client): Promise<string> {
  const keys = ((await client.command("KEYS", "*")) as readonly string[])
    .filter((k) => k !== canaryKey)
    .sort();
  const hash = createHash("sha256");
  for (const key of keys) {
    const type = String(await client.command("TYPE", key));
    const value = await contentOf(client, key, type);
    hash.update(JSON.stringify([key, type, value, await client.command("PEXPIRETIME", key)]));
  }
  return hash.digest("hex");
}

async function contentOf(client: Client, key: string, type: string): Promise<unknown> {
  switch (type) {
    case "string":
      return client.command("GET", key);
    case "list":
      return client.command("LRANGE", key, "0", "-1");
    case "set":
      return [...((await client.command("SMEMBERS", key)) as Iterable<string>)].sort();
    case "zset":
      return client.command("ZRANGE", key, "0", "-1", "WITHSCORES");
    case "hash": {
      const flat = (await client.command("HGETALL", key)) as readonly string[];
      return Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2)).sort();
    }
    default:
      return client.command("XRANGE", key, "-", "+");
  }
}

/** Some of everything Redis can hold, `count` keys of each kind; `seed` changes all values. */
export async function fillRedis(client: Client, count: number, seed = 1): Promise<void> {
  const script = `
    local count, seed = tonumber(ARGV[1]), tonumber(ARGV[2])
    local from = tonumber(ARGV[3])
    for i = from, from + count - 1 do
      redis.call('SET', 'string:' .. i, 'value ' .. seed * i)
      if i % 3 == 0 then redis.call('PEXPIREAT', 'string:' .. i, 4102444800000 + i) end
      redis.call('SETBIT', 'bitmap:' .. i, i % 200, 1)
      redis.call('RPUSH', 'list:' .. i, i, seed, 'x')
      redis.call('SADD', 'set:' .. i, i, seed, 'member')
      redis.call('ZADD', 'zset:' .. i, i / 7, 'a', seed, 'b')
      redis.call('HSET', 'hash:' .. i, 'a', i, 'b', seed)
      redis.call('PFADD', 'hll:' .. i, i, seed)
      redis.call('GEOADD', 'geo:' .. i, i % 180, i % 80, 'place')
      redis.call('XADD', 'stream:' .. i, (i + 1) .. '-1', 'field', seed)
    end`;
  const step = 2000;
  for (let from = 0; from < count; from += step)
    await client.command(
      "EVAL",
      script,
      "0",
      String(Math.min(step, count - from)),
      String(seed),
      String(from),
    );
}

export const kindsOfKeys = 9;
