/** Replication between two real MinIO servers: drift mended, lag measured, every planted difference found. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetBucketReplicationCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instant } from "../../src/catalogue/instant.ts";
import { type InventoryInput, takeInventory } from "../../src/engine/s3/inventory.ts";
import type { Side } from "../../src/engine/s3/sides.ts";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy } from "../../src/policy/model.ts";
import {
  clearMinioSecrets,
  minioPrograms,
  minioUser,
  replicaStore,
  replicationPolicy,
  setMinioSecrets,
  startMinio,
  type TestMinio,
} from "../servers/minio.ts";
import { freePort } from "../servers/ports.ts";
import { until } from "../servers/waiting.ts";
import { openWorld, type TestWorld } from "../servers/world.ts";

const objectsCount = Number(process.env["HOLDFAST_S3_OBJECTS"] ?? 600);
const password = "test-secret-0123456789";
const programs = minioPrograms() ?? "";
const folder = mkdtempSync(join(tmpdir(), "holdfast-replica-"));
let slotAtMs = Date.parse("2026-11-20T00:00:00Z");
let restores = 0;

describe.skipIf(programs === "")("replication on MinIO", () => {
  let source: TestMinio;
  let replica: TestMinio;
  let test: TestWorld;

  const policy = (changes: Partial<Policy> = {}): Policy => replicationPolicy(source, programs, changes);
  const sides = (): { source: Side; replica: Side } => {
    const keys = {
      region: "us-east-1",
      forcePathStyle: true,
      accessKeyId: minioUser,
      secretAccessKey: password,
    };
    return {
      source: { name: "source", endpoint: source.endpoint, bucket: source.bucket, ...keys },
      replica: { name: "replica", endpoint: replica.endpoint, bucket: replica.bucket, ...keys },
    };
  };
  const engine = <T>(work: (context: never) => Promise<T>): Promise<T> =>
    test.world.withContext(test.policy, {}, (context) => work(context as never));
  const probe = () => engine(async (context) => (await test.world.engine(test.policy)).probe(context));
  const mend = (setting: string) =>
    engine(async (context) => (await test.world.engine(test.policy)).mend(context, setting));
  const capture = (changes: Partial<Policy> = {}) => {
    slotAtMs += 3_600_000;
    return backup(test.world, { ...test.policy, ...changes }, { slotAtMs });
  };
  const put = (to: TestMinio, key: string, body: string) =>
    to.client.send(new PutObjectCommand({ Bucket: to.bucket, Key: key, Body: body }));
  const inventory = (rules: Partial<InventoryInput["rules"]> = {}, sample = 0) =>
    takeInventory(
      {
        ...sides(),
        rules: { settledBeforeMs: Number.MAX_SAFE_INTEGER, deleteMarkers: true, deletes: true, ...rules },
        sample,
        seed: "seed",
        sinceMs: 0,
      },
      async () => undefined,
    );

  beforeAll(async () => {
    setMinioSecrets(password);
    [source, replica] = await Promise.all([
      startMinio(programs, password, "models"),
      startMinio(programs, password, "models-dr"),
    ]);
    test = await openWorld(policy(), { store: replicaStore(replica) });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    clearMinioSecrets();
    await test?.close();
    await source?.stop();
    await replica?.stop();
  });

  it("finds each setting that differs, and mends it until nothing does", async () => {
    expect((await probe()).drift.map((d) => [d.setting, d.severity])).toEqual([
      ["source.versioning", "critical"],
      ["replica.versioning", "critical"],
      ["replication.rule", "critical"],
    ]);
    for (const { setting } of (await probe()).drift) await mend(setting);
    expect((await probe()).drift).toEqual([]);

    const found = await source.client.send(new GetBucketReplicationCommand({ Bucket: source.bucket }));
    const [rule] = found.ReplicationConfiguration?.Rules ?? [];
    await source.client.send(
      new PutBucketReplicationCommand({
        Bucket: source.bucket,
        ReplicationConfiguration: {
          Role: found.ReplicationConfiguration?.Role,
          Rules: [{ ...rule!, DeleteMarkerReplication: { Status: "Disabled" } }],
        },
      }),
    );
    const drift = (await probe()).drift.map((d) => d.setting);
    expect(drift).toContain("replication.deleteMarkers");
    for (const setting of drift) await mend(setting);
    expect((await probe()).drift).toEqual([]);

    const expiry = {
      ID: "x",
      Status: "Enabled",
      Filter: { Prefix: "" },
      NoncurrentVersionExpiration: { NoncurrentDays: 3 },
    } as const;
    await replica.client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: replica.bucket,
        LifecycleConfiguration: { Rules: [expiry] },
      }),
    );
    expect((await probe()).drift.map((d) => [d.setting, d.found])).toEqual([["replica.lifecycle", "3 days"]]);
    await expect(mend("replica.lifecycle")).rejects.toMatchObject({ code: "guard-refused" });
    await replica.client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: replica.bucket,
        LifecycleConfiguration: {
          Rules: [{ ...expiry, NoncurrentVersionExpiration: { NoncurrentDays: 36_500 } }],
        },
      }),
    );
  }, 120_000);

  it("measures how far behind the replica is, and restores what it holds", async () => {
    for (let i = 0; i < 40; i += 1)
      await put(source, `models/${i % 4}/weights-${i}.bin`, `weights ${i}`.repeat(50));
    await put(source, "models/0/weights-0.bin", "second version");
    await source.client.send(
      new DeleteObjectCommand({ Bucket: source.bucket, Key: "models/1/weights-1.bin" }),
    );
    const { point, filesCount } = await capture();
    expect(filesCount).toBe(39);
    const [stored] = (await (await test.world.repository(test.policy)).catalogue()).points;
    expect(stored?.manifest.engine["lagSeconds"]).toBeLessThan(30);
    expect(stored?.manifest.engine).toMatchObject({ currentObjects: 39, sampled: 20, deletionStorm: false });
    restores += 1;
    const restored = await restore(test.world, test.policy, {
      target: { kind: "latest" },
      directory: join(folder, String(restores)),
      start: true,
    });
    expect(restored.checks.filter((c) => !c.ok)).toEqual([]);
    expect(readFileSync(join(restored.directory, "data/models/0/weights-0.bin"), "utf8")).toBe(
      "second version",
    );
    expect(await restored.server?.ask("exists models/1/weights-1.bin", "")).toBe(false);
    expect(await restored.server?.ask("count == 39", "")).toBe(true);
    const { ok, verdict } = await verify(test.world, test.policy, { level: 4, point });
    expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
    expect(ok).toBe(true);
  }, 120_000);

  it("restores an earlier instant through the replica's versions", async () => {
    await put(source, "models/2/late.bin", "first");
    const { point } = await capture();
    await new Promise((r) => setTimeout(r, 1500));
    const at = new Date().toISOString();
    await new Promise((r) => setTimeout(r, 1500));
    await put(source, "models/2/late.bin", "overwritten by mistake");
    await source.client.send(
      new DeleteObjectCommand({ Bucket: source.bucket, Key: "models/3/weights-3.bin" }),
    );
    await capture();
    restores += 1;
    const { directory } = await restore(test.world, test.policy, {
      target: { kind: "time", at },
      directory: join(folder, String(restores)),
      start: false,
    });
    expect(point).not.toBe("");
    expect(readFileSync(join(directory, "data/models/2/late.bin"), "utf8")).toBe("first");
    expect(readFileSync(join(directory, "data/models/3/weights-3.bin"), "utf8")).toContain("weights 3");
  }, 120_000);

  it("restores by hand to the millisecond, though the client goes back to whole seconds", async () => {
    const { point } = await capture();
    const repository = await test.world.repository(test.policy);
    const found = (await repository.catalogue()).points.find((p) => p.manifest.id === point);
    const manifest = found?.manifest;
    if (manifest === undefined) throw new Error("no point");
    const second = (ms: number): number => Math.floor(ms / 1000);
    let [beganAtMs, atMs, endedAtMs] = [0, 0, 0];
    for (let tries = 0; tries < 20 && (tries === 0 || second(beganAtMs) !== second(endedAtMs)); tries += 1) {
      await new Promise((r) => setTimeout(r, 1050 - (Date.now() % 1000)));
      beganAtMs = Date.now();
      await put(replica, "grain/changed", "before");
      await put(replica, "grain/removed", "before");
      atMs = Date.now() + 20;
      await new Promise((r) => setTimeout(r, 60));
      await put(replica, "grain/changed", "after");
      await put(replica, "grain/added", "after");
      const Key = "grain/removed";
      await replica.client.send(new DeleteObjectCommand({ Bucket: replica.bucket, Key }));
      endedAtMs = Date.now();
    }
    expect(second(beganAtMs)).toBe(second(endedAtMs));
    await new Promise((r) => setTimeout(r, 1000));
    const byHand = (await test.world.engine(test.policy)).byHand;
    const { commands } = byHand([{ ...manifest, consistentAt: instant(atMs) }]);
    const directory = mkdtempSync(join(folder, "by-hand-"));
    execFileSync("sh", ["-e", "-c", commands.join("\n")], {
      cwd: directory,
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        DIR: directory,
        MC: join(programs, "mc"),
        MC_CONFIG_DIR: join(folder, "mc"),
        MC_HOST_replica: replica.endpoint.replace("//", `//${minioUser}:${password}@`),
      },
      stdio: "pipe",
    });
    const read = (name: string) => readFileSync(join(directory, "data/grain", name), "utf8");
    expect([read("changed"), read("removed")]).toEqual(["before", "before"]);
    expect(readdirSync(join(directory, "data/grain")).sort()).toEqual(["changed", "removed"]);
    for (const Key of ["grain/changed", "grain/removed", "grain/added"]) {
      const { Versions = [], DeleteMarkers = [] } = await replica.client.send(
        new ListObjectVersionsCommand({ Bucket: replica.bucket, Prefix: Key }),
      );
      for (const { VersionId } of [...Versions, ...DeleteMarkers])
        await replica.client.send(new DeleteObjectCommand({ Bucket: replica.bucket, Key, VersionId }));
    }
  }, 120_000);

  it(`finds each of 20 planted differences among ${objectsCount} objects, and none before`, async () => {
    const keys = Array.from(
      { length: objectsCount },
      (_, i) => `set/${String(i % 17).padStart(2, "0")}/object-${i}`,
    );
    const lanes = Array.from({ length: 16 }, async (_, lane) => {
      for (let i = lane; i < keys.length; i += 16) {
        await put(source, keys[i]!, `content ${i} ${createHash("sha256").update(String(i)).digest("hex")}`);
        if (i % 10 === 0) await put(source, keys[i]!, `content ${i}, second version`);
        if (i % 50 === 7)
          await source.client.send(new DeleteObjectCommand({ Bucket: source.bucket, Key: keys[i]! }));
      }
    });
    await Promise.all(lanes);
    let seen = await inventory();
    await until(async () => {
      seen = await inventory();
      return seen.differences === 0;
    }, 60_000).catch((error: unknown) => {
      throw new Error(JSON.stringify(seen), { cause: error });
    });
    const clean = await inventory({}, 20);
    expect([clean.differences, clean.sampled]).toEqual([0, 20]);
    expect(clean.currentObjects).toBeGreaterThan(objectsCount * 0.9);

    // What is changed in the replica behind the rule's back.
    const planted = new Map<string, string>();
    const plain = (n: number): string => keys.filter((_, i) => i % 10 !== 0 && i % 50 !== 7)[n * 3] ?? "";
    const versionsOf = async (key: string) =>
      (
        await replica.client.send(new ListObjectVersionsCommand({ Bucket: replica.bucket, Prefix: key }))
      ).Versions?.filter((v) => v.Key === key) ?? [];
    const drop = (key: string, versionId?: string) =>
      replica.client.send(
        new DeleteObjectCommand({
          Bucket: replica.bucket,
          Key: key,
          ...(versionId === undefined ? {} : { VersionId: versionId }),
        }),
      );
    const twice = keys.filter((_, i) => i % 10 === 0 && i % 50 !== 7);
    for (let i = 0; i < 5; i += 1) {
      for (const { VersionId } of await versionsOf(plain(i))) await drop(plain(i), VersionId);
      planted.set(plain(i), "missing");
      await drop(plain(5 + i));
      planted.set(plain(5 + i), "deleted in the replica");
    }
    for (let i = 10; i < 13; i += 1) {
      await put(replica, plain(i), "shorter");
      planted.set(plain(i), "size");
      const [same] = await versionsOf(plain(i + 3));
      await put(replica, plain(i + 3), "x".repeat(same?.Size ?? 1));
      planted.set(plain(i + 3), "content");
    }
    for (let i = 0; i < 2; i += 1) {
      const [newest] = (await versionsOf(twice[i]!)).sort(
        (a, b) => Number(b.LastModified) - Number(a.LastModified),
      );
      await drop(twice[i]!, newest?.VersionId);
      planted.set(twice[i]!, "older version");
      const [, older] = (await versionsOf(twice[2 + i]!)).sort(
        (a, b) => Number(b.LastModified) - Number(a.LastModified),
      );
      await drop(twice[2 + i]!, older?.VersionId);
      planted.set(twice[2 + i]!, "missing version");
    }
    expect(planted.size).toBe(20);
    const found = await inventory();
    expect(new Map(found.examples.map((d) => [d.key, d.kind]))).toEqual(planted);
    expect(found.differences).toBe(20);
    await expect(
      capture({
        capture: { ...test.policy.capture, options: { ...test.policy.capture.options, maxLag: "1s" } },
      }),
    ).rejects.toMatchObject({ code: "data-damaged", message: expect.stringContaining("20 places") });
  }, 900_000);

  it("says within its bounds that replication has stopped, and that a side is away", async () => {
    await replica.client.send(
      new PutBucketVersioningCommand({
        Bucket: replica.bucket,
        VersioningConfiguration: { Status: "Suspended" },
      }),
    );
    const options = { ...test.policy.capture.options, maxLag: "3s" };
    const startedMs = performance.now();
    await expect(capture({ capture: { ...test.policy.capture, options } })).rejects.toMatchObject({
      code: expect.stringMatching(/^(objective-missed|data-damaged)$/),
    });
    expect(performance.now() - startedMs).toBeLessThan(60_000);
    const dead = { ...test.policy.connection, endpoint: `http://127.0.0.1:${await freePort()}` };
    const away = await test.reopen({ connection: dead });
    const facts = await away.withContext({ ...test.policy, connection: dead }, {}, async (context) =>
      (await away.engine(test.policy)).probe(context),
    );
    expect(facts.reachable).toBe(false);
    expect(facts.detail).toContain("cannot be reached");
  }, 120_000);
});
