/** Redis set otherwise than usual, and failing in the middle: what the engine promises then. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { checkSet } from "../../src/engine/redis/checkers.ts";
import { serverNow } from "../../src/engine/redis/facts.ts";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy } from "../../src/policy/model.ts";
import {
  contentsOf,
  fillRedis,
  type RedisOptions,
  redisPolicy,
  redisPrograms,
  startRedis,
  type TestRedis,
} from "../servers/redis.ts";
import { killed, until } from "../servers/waiting.ts";
import { openWorld, type TestWorld } from "../servers/world.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-redis-faults-"));
const open: { stop(): Promise<void> }[] = [];
const percentage = "auto-aof-rewrite-percentage";
let slotAtMs = Date.parse("2026-11-20T00:00:00Z");

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
/** A policy that takes the append-only file as well. */
const logged = (redis: TestRedis, changes: Partial<Policy> = {}): Policy =>
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
    ...changes,
  });
const settingOf = (redis: TestRedis, name: string) =>
  redis.ask(async (client) =>
    String(Object.values(Object(await client.command("CONFIG", "GET", name))).at(-1)),
  );

afterEach(async () => {
  for (const { stop } of open.splice(0).reverse()) await stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const major of [7, 8] as const) {
  const programs = redisPrograms(major);
  if (programs === undefined) {
    describe(`Redis ${major}`, () => it.skip("the server cannot be had here", () => {}));
    continue;
  }
  describe(`Redis ${major}`, () => {
    const here = { programs };

    it("gives a snapshot that goes over the server's disk first", async () => {
      const redis = await serverOf({ ...here, settings: { "repl-diskless-sync": "no" } });
      await redis.ask((client) => fillRedis(client, 20));
      const test = await worldOf(redisPolicy(redis));
      await capture(test);
      const { ok, verdict } = await verify(test.world, test.policy, { level: 4 });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(ok).toBe(true);
    });

    it("never dates a point behind a write it does not hold, though the server hands out an older snapshot", async () => {
      const settings = { "repl-diskless-sync": "no", "rdb-key-save-delay": "30000" };
      const redis = await serverOf({ ...here, settings });
      await redis.ask((client) => fillRedis(client, 20));
      // Everything is at hand before, so that the capture falls into the snapshot of somebody else.
      const test = await worldOf(redisPolicy(redis));
      await probe(test);
      // Somebody else's snapshot, which takes some seconds; ours is the same one.
      const other = spawn(
        join(redis.programs, "redis-cli"),
        ["-h", "127.0.0.1", "-p", String(redis.port), "--rdb", join(folder, `other-${major}.rdb`)],
        { stdio: "ignore" },
      );
      open.push({ stop: () => killed(other) });
      const persistence = () => redis.ask((client) => client.command("INFO", "persistence"));
      await until(async () => String(await persistence()).includes("rdb_bgsave_in_progress:1"));
      const lateAt = await redis.ask(async (client) => {
        await client.command("SET", "late", "1");
        return serverNow(client);
      });
      await capture(test);
      const { server, manifest } = await restored(test, `late-${major}`);
      expect(await server?.ask("EXISTS late", "0")).toBe(0);
      await server?.stop();
      expect(Date.parse(manifest.consistentAt)).toBeLessThan(Date.parse(lateAt));
    });

    it("puts the rewrites back when its connection is closed in the middle", async () => {
      const redis = await serverOf({ ...here, settings: { appendonly: "yes", [percentage]: "37" } });
      await redis.ask((client) => fillRedis(client, 500));
      const cutter = await cuttingBehind(redis.port, percentage);
      open.push(cutter);
      const test = await worldOf(
        logged(redis, { connection: { ...redisPolicy(redis).connection, port: cutter.port } }),
      );
      // Where the connection was not needed any more, the capture is whole.
      const outcome = await capture(test).then(
        () => "captured",
        (error: { code?: string }) => error.code,
      );
      expect(cutter.cuts).toBe(1);
      expect(["captured", "source-unreachable"]).toContain(outcome);
      expect(await settingOf(redis, percentage)).toBe("37");
    });

    it("takes the append-only file by the name the server gives it", async () => {
      const settings = { appendonly: "yes", appendfilename: "mine.aof" };
      const redis = await serverOf({ ...here, settings });
      await redis.ask((client) => fillRedis(client, 20));
      const wanted = await redis.ask(contentsOf);
      const test = await worldOf(logged(redis));
      await capture(test);
      const { server, checks } = await restored(test, `named-${major}`);
      expect(checks.filter((c) => !c.ok)).toEqual([]);
      expect(server?.reached["loaded"]).toBe("the append-only file");
      await server?.stop();
      const again = await serverOf({
        ...here,
        directory: join(folder, `named-${major}`),
        settings: { appendonly: "yes" },
      });
      expect(await again.ask(contentsOf)).toBe(wanted);
    });

    it("takes a set that ends within a command for good, and no other damage", async () => {
      const redis = await serverOf({ ...here, settings: { appendonly: "yes", [percentage]: "0" } });
      const last = 40;
      await redis.ask(async (client) => {
        for (let i = 0; i <= last; i += 1) await client.command("SET", `key${i}`, "v".repeat(60));
      });
      const test = await worldOf(logged(redis));
      const set = join(redis.directory, "appendonlydir");
      const manifest = join(folder, `set-${major}`);
      const names = [`set-${major}.1.incr.aof`];
      const source = readdirSync(set).find((name) => name.includes(".incr."));
      const bytes = readFileSync(join(set, source ?? ""));
      writeFileSync(manifest, `file ${names[0]} seq 1 type i\n`);
      const judge = (content: Buffer) => {
        writeFileSync(join(folder, names[0] ?? ""), content);
        return test.world.withContext(test.policy, {}, (context) => checkSet(context, manifest, names));
      };
      const lastBytes = bytes.length - bytes.lastIndexOf("*3");
      for (let cut = 0; cut <= lastBytes; cut += 1) {
        const { ok, detail } = await judge(bytes.subarray(0, bytes.length - cut));
        expect(ok, `${cut} bytes less: ${detail}`).toBe(true);
        if (cut > 0 && cut < lastBytes) expect(detail).toContain(`${lastBytes - cut} bytes are not loaded`);
      }
      // Every byte of one command's frame in the middle; its key and value are anybody's.
      const start = bytes.indexOf("*3", bytes.length / 2);
      const frame = bytes.indexOf("key", start) - start;
      for (let at = start; at < start + frame - 1; at += 1) {
        if (
          bytes[at] === "S".charCodeAt(0) ||
          bytes[at] === "E".charCodeAt(0) ||
          bytes[at] === "T".charCodeAt(0)
        )
          continue;
        const damaged = Buffer.from(bytes);
        damaged[at] = 0x58;
        const { ok, detail } = await judge(damaged);
        expect(ok, `byte ${at - start} of a command: ${detail}`).toBe(false);
      }
    });
  });
}

describe("Redis", () => {
  it("tells a right that is missing as the server's refusal", async () => {
    const password = "holdfast-acl-password";
    process.env["HOLDFAST_TEST_REDIS_ACL"] = password;
    const redis = await serverOf({ settings: { appendonly: "yes" } });
    await redis.ask((client) => fillRedis(client, 5));
    const page = readFileSync(new URL("../../docs/components/redis.md", import.meta.url), "utf8");
    const line = /^ACL SETUSER holdfast .*$/m.exec(page)?.[0].replace("PASSWORD", password) ?? "";
    const acl = (...args: readonly string[]) => redis.ask((client) => client.command(...args));
    await acl(...line.split(" "));
    const connection = {
      host: "127.0.0.1",
      port: redis.port,
      user: "holdfast",
      passwordFrom: { env: "HOLDFAST_TEST_REDIS_ACL" },
    };
    // The line of the page is enough for what it says.
    const plain = await worldOf(redisPolicy(redis, { connection }));
    expect((await probe(plain)).drift).toEqual([]);
    await plain.world.withContext(plain.policy, {}, async (c) =>
      (await plain.world.engine(plain.policy)).canary(c),
    );
    await capture(plain);
    const test = await worldOf(logged(redis, { connection }));
    const refusal = {
      code: "tool-failed",
      message: expect.stringMatching(/refuses: NOPERM .*'config\|set'/),
    };
    await expect(capture(test)).rejects.toMatchObject(refusal);
    await acl("ACL", "SETUSER", "holdfast", "+config|set");
    await capture(test);
    await acl("ACL", "SETUSER", "holdfast", "-config|get");
    expect((await probe(test)).drift.map((d) => d.setting)).toEqual(["acl"]);
    delete process.env["HOLDFAST_TEST_REDIS_ACL"];
  });

  it("takes save points in another order for the same", async () => {
    const redis = await serverOf({ settings: { save: "60 10000 300 100 3600 1" } });
    const savePoints = [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10_000 },
    ];
    const of = (points: readonly unknown[]) =>
      redisPolicy(redis, {
        capture: {
          method: "rdb",
          codec: "zstd",
          level: 1,
          options: { toolDirectory: redis.programs, savePoints: points },
        },
      });
    expect((await probe(await worldOf(of(savePoints)))).drift).toEqual([]);
    const fewer = await probe(await worldOf(of(savePoints.slice(1))));
    expect(fewer.drift.map((d) => d.setting)).toEqual(["save"]);
  });
});

async function restored(test: TestWorld, name: string) {
  const outcome = await restore(test.world, test.policy, {
    target: { kind: "latest" },
    directory: join(folder, name),
    start: true,
  });
  const repository = await test.world.repository(test.policy);
  const manifest = (await repository.catalogue()).points.at(-1)?.manifest;
  if (manifest === undefined) throw new Error("there is no point");
  return { ...outcome, manifest };
}

/** A way to the server that is cut once, as soon as it has answered the first stop of the rewrites. */
async function cuttingBehind(port: number, setting: string) {
  const stopsRewrites = new RegExp(`SET\\r\\n\\$\\d+\\r\\n${setting}\\r\\n\\$1\\r\\n0\\r\\n`, "i");
  let cuts = 0;
  const server = createServer((socket) => {
    const inner = connect(port, "127.0.0.1");
    for (const one of [socket, inner]) one.on("error", () => undefined);
    socket.on("data", (bytes) => {
      if (cuts === 0 && stopsRewrites.test(bytes.toString("latin1"))) {
        cuts += 1;
        inner.once("data", () => socket.destroy());
      }
      inner.write(bytes);
    });
    inner.pipe(socket);
    socket.on("close", () => inner.destroy());
    inner.on("close", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    stop: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
