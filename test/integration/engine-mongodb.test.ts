/**
 * What MongoDB's engine promises beyond the shared suites: the recovery point under load, restores to an instant,
 * a broken chain of slices, the oplog's window, and a dump that holds nothing. On FerretDB; the vendor's tools where
 * they are on PATH, else stand-ins.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BSON, MongoClient } from "mongodb";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { RunningServer } from "../../src/engine/engine.ts";
import { logNames, slicesOf } from "../../src/engine/mongodb/oplog.ts";
import { fetchSlice } from "../../src/engine/mongodb/slice-cover.ts";
import { HoldfastError } from "../../src/errors.ts";
import { backup } from "../../src/operate/backup.ts";
import { receive } from "../../src/operate/receive.ts";
import { restore } from "../../src/operate/restore.ts";
import type { Policy } from "../../src/policy/model.ts";
import {
  ferretProgram,
  mongoPolicy,
  oplogSettings,
  startMongo,
  type TestMongo,
} from "../servers/ferretdb.ts";
import { pause, until } from "../servers/waiting.ts";
import { openWorld, restoreFolder, type TestWorld } from "../servers/world.ts";

interface Row {
  readonly _id: number;
}

const loadMs = Number(process.env["HOLDFAST_LOAD_SECONDS"] ?? 5) * 1000;

/** Inserts one row after another; remembers when each was acknowledged. */
function startLoad(mongo: TestMongo, from: number) {
  const acknowledgedMs: number[] = [];
  let isStopped = false;
  const rows = mongo.client.db("shop").collection<Row>("rows");
  const done = (async () => {
    while (!isStopped) {
      await rows.insertOne({ _id: from + acknowledgedMs.length });
      acknowledgedMs.push(Date.now());
      await pause(5);
    }
  })().catch(() => undefined);
  return {
    acknowledgedMs,
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}

async function restoredRows(server: RunningServer | undefined): Promise<readonly number[]> {
  const host = encodeURIComponent(String(server?.connection["host"]));
  const client = await new MongoClient(`mongodb://${host}/?directConnection=true`).connect();
  try {
    const rows = await client.db("shop").collection<Row>("rows").find({}).sort({ _id: 1 }).toArray();
    return rows.map((row) => row._id);
  } finally {
    await client.close();
  }
}

if (ferretProgram() === undefined) {
  describe("engine MongoDB", () => it.skip("the server cannot be had here", () => {}));
} else {
  describe("MongoDB", () => {
    let mongo: TestMongo;
    let test: TestWorld;
    const targets = restoreFolder();
    let slotAtMs = Date.parse("2026-11-20T00:00:00Z");
    const capture = (changes: Partial<Policy> = {}) => {
      slotAtMs += 3_600_000;
      return backup(test.world, { ...test.policy, ...changes }, { slotAtMs });
    };

    afterEach(async () => {
      await test?.close();
      await mongo?.remove();
    });
    afterAll(() => rmSync(targets, { recursive: true, force: true }));

    async function open(changes: Partial<Policy> = {}): Promise<void> {
      mongo = await startMongo();
      test = await openWorld(
        mongoPolicy(mongo, { log: oplogSettings, canaryEveryMs: 500, assertions: [], ...changes }),
      );
      await mongo.client.db("shop").collection<Row>("rows").insertOne({ _id: -1 });
    }

    async function startReceiver() {
      const stop = new AbortController();
      const world = await test.reopen({}, stop.signal);
      const failure: unknown[] = [];
      const ended = receive(world, test.policy, () => {}).catch((error: unknown) => {
        failure.push(error);
      });
      return {
        failure,
        ended,
        stop: async () => {
          stop.abort();
          await ended;
        },
      };
    }

    /** Waits until the store has the row's insertion. */
    async function stored(id: number): Promise<void> {
      const { log } = await test.world.repository(test.policy);
      await until(() =>
        test.world.withContext(test.policy, {}, async (context) => {
          const newest = slicesOf(await log.archive(logNames)).at(-1);
          const entries = newest === undefined ? undefined : await fetchSlice(context, log, newest);
          return entries?.some(({ document }) => BSON.deserialize(document)["o"]?._id === id) === true;
        }),
      );
    }

    it("loses less than five minutes under load, and ends at an instant with nothing of it or later", async () => {
      await open();
      const receiver = await startReceiver();
      const load = startLoad(mongo, 0);
      await pause(2000);
      const { point } = await capture();
      await pause(loadMs);
      // Everything goes at once: the server by kill -9, and the receiver without a last push.
      const diedAtMs = Date.now();
      await mongo.kill();
      await load.stop();
      await receiver.stop();

      const latest = await restore(test.world, test.policy, {
        target: { kind: "latest" },
        directory: join(targets, "latest"),
        start: true,
      });
      const rows = await restoredRows(latest.server).finally(() => latest.server?.stop());
      expect(latest.checks.filter((c) => !c.ok)).toEqual([]);
      expect(rows).toEqual(Array.from(rows, (_, i) => i - 1));
      const lostSeconds = (diedAtMs - Date.parse(latest.lastCanaryAt ?? "")) / 1000;
      const behind = load.acknowledgedMs.length - (rows.length - 1);
      console.log(
        `${load.acknowledgedMs.length} rows acknowledged, ${behind} of them not restored; last canary ${lostSeconds.toFixed(1)} s before the end`,
      );
      expect(lostSeconds).toBeLessThan(300);
      expect(rows.length).toBeGreaterThan(load.acknowledgedMs.length / 2);

      const middle = load.acknowledgedMs.findIndex((ms) => ms > diedAtMs - loadMs / 2);
      const atMs = load.acknowledgedMs[middle] ?? 0;
      const there = await restore(test.world, test.policy, {
        target: { kind: "time", at: new Date(atMs).toISOString() },
        directory: join(targets, "instant"),
        start: true,
      });
      const then = await restoredRows(there.server).finally(() => there.server?.stop());
      expect(there.point).toBe(point);
      expect(then).toEqual(Array.from(then, (_, i) => i - 1));
      const last = then.at(-1) ?? -1;
      // Nothing of the target's own instant or later; a log without the primary's clock keeps a whole second out.
      const lastMs = load.acknowledgedMs[last] ?? 0;
      expect(lastMs).toBeLessThanOrEqual(atMs);
      // And nothing is missing: the row behind it was written in that second or later.
      expect(load.acknowledgedMs[last + 1] ?? Number.POSITIVE_INFINITY).toBeGreaterThan(atMs - 1000);
      console.log(`to an instant: the last row was acknowledged ${atMs - lastMs} ms before it`);
    }, 120_000);

    it("breaks the chain loudly when the oplog has gone on without the receiver", async () => {
      await open({ canaryEveryMs: 0 });
      const first = await startReceiver();
      const rows = mongo.client.db("shop").collection<Row>("rows");
      await rows.insertOne({ _id: 0 });
      await capture();
      await rows.insertOne({ _id: 1 });
      await stored(1);
      await first.stop();
      // The server has thrown away what came next, as one with a short oplog does.
      const local = mongo.client.db("local");
      await local.collection("oplog.rs").drop();
      await local.createCollection("oplog.rs", { capped: true, size: 16 * 1024 * 1024 });
      await pause(1100);
      await rows.insertOne({ _id: 2 });
      const lostAtMs = Date.now();
      const second = await startReceiver();
      await second.ended;
      expect(second.failure).toMatchObject([
        { name: "HoldfastError", code: "wal-gap", message: expect.stringContaining("cannot be restored") },
      ]);
      await expect(
        restore(test.world, test.policy, {
          target: { kind: "time", at: new Date(lostAtMs + 500).toISOString() },
          directory: join(targets, "behind"),
          start: false,
        }),
      ).rejects.toSatisfy(
        (error) => error instanceof HoldfastError && ["wal-gap", "target-unreachable"].includes(error.code),
      );
      // And with a new dump everything can be reached again.
      const third = await startReceiver();
      await rows.insertOne({ _id: 3 });
      await capture();
      await rows.insertOne({ _id: 4 });
      await stored(4);
      await third.stop();
      const outcome = await restore(test.world, test.policy, {
        target: { kind: "latest" },
        directory: join(targets, "again"),
        start: true,
      });
      expect(await restoredRows(outcome.server).finally(() => outcome.server?.stop())).toEqual([
        -1, 0, 1, 2, 3, 4,
      ]);
    }, 120_000);

    it("starts no dump that the oplog would not outlive", async () => {
      await open({ canaryEveryMs: 0 });
      const { log: _, ...plain } = test.policy;
      const tools = join(test.folder, "tools");
      const ran = join(test.folder, "dump-began");
      mkdirSync(tools);
      for (const name of ["mongorestore", "mongod"])
        writeFileSync(join(tools, name), `#!/bin/sh\nexec '${join(mongo.toolDirectory, name)}' "$@"\n`, {
          mode: 0o755,
        });
      const real = join(mongo.toolDirectory, "mongodump");
      writeFileSync(
        join(tools, "mongodump"),
        `#!/bin/sh\ncase "$*" in *--version*) ;; *) : > '${ran}'; sleep 8;; esac\nexec '${real}' "$@"\n`,
        { mode: 0o755 },
      );
      const policy = { ...plain, capture: { ...plain.capture, options: { toolDirectory: tools } } };
      const rows = mongo.client.db("shop").collection<Row>("rows");
      // It reaches back a second now.
      await pause(1100);
      await rows.insertOne({ _id: 0 });
      await backup(test.world, policy, { slotAtMs: 1_800_000_000_000 });
      expect(existsSync(ran)).toBe(true);
      // One that is not full reaches further back than it does now, however long the last dump took.
      await backup(test.world, policy, { slotAtMs: 1_800_000_600_000 });
      const { points } = await (await test.world.repository(policy)).catalogue();
      const stats = await mongo.client.db("shop").command({ dbStats: 1 });
      for (const { manifest } of points)
        expect(manifest.restoreNeeds.diskBytes).toBeGreaterThan(256 * 1024 * 1024 + 2 * stats["dataSize"]);
      rmSync(ran);
      // A full oplog that reaches back a second or two; the last dump took eight.
      const local = mongo.client.db("local");
      await local.collection("oplog.rs").drop();
      await local.createCollection("oplog.rs", { capped: true, size: 64 * 1024 });
      await mongo.client
        .db("shop")
        .collection("filler")
        .insertMany(Array.from({ length: 200 }, () => ({ text: "x".repeat(1000) })));
      await pause(1100);
      await rows.insertOne({ _id: 11 });
      await expect(backup(test.world, policy, { slotAtMs: 1_800_003_600_000 })).rejects.toMatchObject({
        code: "wal-gap",
        message: expect.stringContaining("the last dump took"),
      });
      expect(existsSync(ran)).toBe(false);
    }, 120_000);

    it("makes no point of a well-formed dump without a collection that ends with status 0", async () => {
      await open({ canaryEveryMs: 0 });
      const { log: _, ...plain } = test.policy;
      const tools = join(test.folder, "tools");
      mkdirSync(tools);
      const archive = join(test.folder, "empty.archive");
      writeFileSync(
        archive,
        Buffer.concat([
          Buffer.from([0x6d, 0xe2, 0x99, 0x81]),
          BSON.serialize({
            concurrent_collections: new BSON.Int32(1),
            version: "0.1",
            server_version: "7",
            tool_version: "100",
          }),
          Buffer.from([0xff, 0xff, 0xff, 0xff]),
        ]),
      );
      writeFileSync(
        join(tools, "mongodump"),
        `#!/bin/sh\ncase "$*" in *--version*) echo "mongodump version: 100.0.0"; exit 0;; esac\nexec cat '${archive}'\n`,
        { mode: 0o755 },
      );
      const policy = { ...plain, capture: { ...plain.capture, options: { toolDirectory: tools } } };
      await expect(backup(test.world, policy, { slotAtMs: 1_800_000_000_000 })).rejects.toMatchObject({
        code: "empty-backup",
      });
      expect((await (await test.world.repository(policy)).catalogue()).points).toEqual([]);
    }, 60_000);
  });
}
