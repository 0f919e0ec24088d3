/** What the suite does not ask: the set under a rewrite, which of two files is loaded, drift, replicas, many keys. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { settingsOf, withClient } from "../../src/engine/redis/connection.ts";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy } from "../../src/policy/model.ts";
import {
  contentsOf,
  fillRedis,
  kindsOfKeys,
  type RedisOptions,
  redisPolicy,
  startRedis,
  type TestRedis,
} from "../servers/redis.ts";
import { until } from "../servers/waiting.ts";
import { openWorld, type TestWorld } from "../servers/world.ts";

const keysCount = Number(process.env["HOLDFAST_REDIS_KEYS"] ?? 45_000);
const folder = mkdtempSync(join(tmpdir(), "holdfast-redis-restores-"));
const open: { stop(): Promise<void> }[] = [];
let slotAtMs = Date.parse("2026-11-20T00:00:00Z");
let count = 0;

const serverOf = async (options: RedisOptions = {}): Promise<TestRedis> => {
  const redis = await startRedis(options);
  open.push(redis);
  return redis;
};
const worldOf = async (policy: Policy): Promise<TestWorld> => {
  const test = await openWorld(policy);
  open.push({ stop: () => test.close() });
  return test;
};
const capture = (test: TestWorld) => {
  slotAtMs += 3_600_000;
  return backup(test.world, test.policy, { slotAtMs });
};
const probe = (test: TestWorld) =>
  test.world.withContext(test.policy, {}, async (context) =>
    (await test.world.engine(test.policy)).probe(context),
  );
const newPlace = (): string => {
  count += 1;
  return join(folder, String(count));
};
const pairs = (redis: TestRedis, name: string) =>
  redis.ask(async (client) =>
    String(Object.values(Object(await client.command("CONFIG", "GET", name))).at(-1)),
  );

afterEach(async () => {
  for (const { stop } of open.splice(0).reverse()) await stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("Redis", () => {
  it(`restores ${keysCount} keys of every kind with an equal digest`, async () => {
    const redis = await serverOf();
    await redis.ask((client) => fillRedis(client, Math.ceil(keysCount / kindsOfKeys)));
    const test = await worldOf(redisPolicy(redis));
    const digest = (from: TestRedis) => from.ask((client) => client.command("DEBUG", "DIGEST"));
    const before = await digest(redis);
    const startedMs = performance.now();
    const { sizeBytes } = await capture(test);
    const capturedMs = performance.now();
    const place = newPlace();
    const restored = await restore(test.world, test.policy, {
      target: { kind: "latest" },
      directory: place,
      start: false,
    });
    expect(restored.checks.filter((c) => !c.ok)).toEqual([]);
    const second = await serverOf({ directory: place, settings: { appendonly: "yes" } });
    expect(await second.ask((client) => client.command("DBSIZE"))).toBe(
      await redis.ask((client) => client.command("DBSIZE")),
    );
    expect(await digest(second)).toBe(before);
    console.log(
      `${await redis.ask((c) => c.command("DBSIZE"))} keys, ${(sizeBytes / 2 ** 20).toFixed(1)} MiB stored, captured in ${((capturedMs - startedMs) / 1000).toFixed(1)} s, digest ${before}`,
    );
  });

  it("is loaded by a server whatever its append-only setting, and by a plain one too", async () => {
    const redis = await serverOf();
    await redis.ask((client) => fillRedis(client, 50));
    const wanted = await redis.ask(contentsOf);
    const test = await worldOf(redisPolicy(redis));
    await capture(test);
    for (const appendonly of ["yes", "no"]) {
      const directory = newPlace();
      await restore(test.world, test.policy, { target: { kind: "latest" }, directory, start: false });
      const server = await serverOf({ directory, settings: { appendonly } });
      expect(await server.ask(contentsOf), `appendonly ${appendonly}`).toBe(wanted);
      await server.ask((client) => client.command("SET", "after", "1"));
      expect(await server.ask((client) => client.command("GET", "after"))).toBe("1");
    }
  });

  it("takes the append-only file as one set while it is written to and rewritten, and puts its setting back", async () => {
    const redis = await serverOf({ settings: { appendonly: "yes", "auto-aof-rewrite-percentage": "37" } });
    await redis.ask((client) => fillRedis(client, 2000));
    const test = await worldOf(
      redisPolicy(redis, {
        capture: {
          method: "rdb-aof",
          codec: "zstd",
          level: 1,
          options: {
            toolDirectory: redis.programs,
            appendOnlyDirectory: join(redis.directory, "appendonlydir"),
          },
        },
      }),
    );
    const stop = new AbortController();
    let written = 0;
    const load = redis.ask(async (client) => {
      while (!stop.signal.aborted) {
        written += 1;
        await client.command("SET", "counter", String(written));
        await client.command("RPUSH", "log", String(written));
      }
    });
    try {
      for (let round = 0; round < 3; round += 1) {
        await redis.ask((client) => client.command("BGREWRITEAOF"));
        const before = written;
        const { point } = await capture(test);
        expect(await pairs(redis, "auto-aof-rewrite-percentage")).toBe("37");
        const { server, checks } = await restore(test.world, test.policy, {
          target: { kind: "point" },
          point,
          directory: newPlace(),
          start: true,
        });
        expect(checks.filter((c) => !c.ok)).toEqual([]);
        expect(server?.reached["loaded"]).toBe("the append-only file");
        const [counter, length] = await withClient(settingsOf(server?.connection ?? {}), async (client) => [
          Number(await client.command("GET", "counter")),
          Number(await client.command("LLEN", "log")),
        ]);
        await server?.stop();
        expect(counter).toBeGreaterThanOrEqual(before);
        // Cut between two commands at worst: the log is the counter or one behind it.
        expect([counter, (counter ?? 0) - 1]).toContain(length);
      }
    } finally {
      stop.abort();
      await load;
    }
  });

  it("sees drift of each setting, mends it, and finds nothing afterwards", async () => {
    const redis = await serverOf({
      settings: { appendonly: "no", appendfsync: "no", save: "900 1" },
    });
    const savePoints = [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10_000 },
    ];
    const test = await worldOf(
      redisPolicy(redis, {
        capture: {
          method: "rdb-aof",
          codec: "zstd",
          level: 1,
          options: { toolDirectory: redis.programs, appendOnly: true, appendFsync: "everysec", savePoints },
        },
      }),
    );
    const { drift } = await probe(test);
    expect(drift.map((d) => [d.setting, d.wanted, d.found, d.mendable])).toEqual([
      ["appendonly", "yes", "no", true],
      ["appendfsync", "everysec", "no", true],
      ["save", "3600 1 300 100 60 10000", "900 1", true],
    ]);
    const mend = (setting: string) =>
      test.world.withContext(test.policy, {}, async (context) =>
        (await test.world.engine(test.policy)).mend(context, setting),
      );
    for (const { setting } of drift) await mend(setting);
    expect((await probe(test)).drift).toEqual([]);
    await redis.ask((client) => client.command("CONFIG", "SET", "auto-aof-rewrite-percentage", "0"));
    expect((await probe(test)).drift.map((d) => d.setting)).toEqual(["auto-aof-rewrite-percentage"]);
    await mend("auto-aof-rewrite-percentage");
    expect((await probe(test)).drift).toEqual([]);
    await expect(mend("maxmemory")).rejects.toMatchObject({ code: "guard-refused" });
  });

  it("takes a snapshot from a replica, and none once its primary is gone", async () => {
    const primary = await serverOf();
    await primary.ask((client) => fillRedis(client, 20));
    const replica = await serverOf({ settings: { replicaof: `127.0.0.1 ${primary.port}` } });
    const link = () => replica.ask((client) => client.command("INFO", "replication"));
    await until(async () => String(await link()).includes("master_link_status:up"));
    const test = await worldOf(redisPolicy(replica));
    await capture(test);
    const { ok } = await verify(test.world, test.policy, { level: 4 });
    expect(ok).toBe(true);
    await primary.stop();
    await until(async () => String(await link()).includes("master_link_status:down"));
    await expect(capture(test)).rejects.toMatchObject({
      code: "source-unreachable",
      message: expect.stringContaining("link to its primary is down"),
    });
    expect((await probe(test)).drift.map((d) => d.setting)).toContain("master_link_status");
  });

  it("measures the recovery point by its canary", async () => {
    const redis = await serverOf();
    const test = await worldOf(redisPolicy(redis, { canaryEveryMs: 500 }));
    const at = await test.world.withContext(test.policy, {}, async (context) =>
      (await test.world.engine(test.policy)).canary(context),
    );
    await capture(test);
    const { ok, verdict } = await verify(test.world, test.policy, { level: 4 });
    expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
    expect(ok).toBe(true);
    expect(verdict.measured.lastCanaryAt).toBe(at);
    expect(verdict.measured.rpoSeconds).toBeGreaterThan(0);
  });

  it("asks what only reads, compares, and refuses the rest", async () => {
    const redis = await serverOf();
    await redis.ask((client) => client.command("HSET", "user:1", "name", "Ada Lovelace", "visits", "7"));
    const test = await worldOf(redisPolicy(redis));
    await capture(test);
    const directory = newPlace();
    mkdirSync(directory);
    const { server } = await restore(test.world, test.policy, {
      target: { kind: "latest" },
      directory,
      start: true,
    });
    const ask = (statement: string) => server?.ask(statement, "0");
    expect(await ask("HGET user:1 name")).toBe("Ada Lovelace");
    expect(await ask("HGET 'user:1' visits >= 7")).toBe(true);
    expect(await ask('HGET "user:1" visits > 7')).toBe(false);
    expect(await ask("DBSIZE == 1")).toBe(true);
    for (const bad of ["FLUSHALL", "SET a b", "", "GET 'open"])
      await expect(ask(bad), bad).rejects.toMatchObject({ code: "usage" });
    expect(await ask("DBSIZE")).toBe(1);
    await server?.stop();
  });
});
