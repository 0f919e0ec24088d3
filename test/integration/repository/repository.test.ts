/** A repository on a real folder store with real programs: what was stored comes back, and damage is named. */
import { createHash, randomBytes } from "node:crypto";
import { copyFile, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../../src/catalogue/manifest.ts";
import type { Repository } from "../../../src/repository/repository.ts";
import { makeFixture, manifestFor } from "./fixture.ts";

type Fixture = Awaited<ReturnType<typeof makeFixture>>;
const id = "20261120T020000Z";
const day = 24 * 3600 * 1000;
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const tombstoneFor = (manifestSha256: string, notBeforeMs = Date.now() - 1000) => ({
  apiVersion: "holdfast.dev/v1" as const,
  kind: "Tombstone" as const,
  policy: "pg",
  point: id,
  at: new Date(notBeforeMs).toISOString(),
  notBefore: new Date(notBeforeMs).toISOString(),
  reason: "expired",
  manifestSha256,
});

async function storePoint(repository: Repository, file: string, pointId = id, policy = "pg") {
  const draft = await repository.draft(pointId, "");
  await draft.sink.fromCommand("base.tar", { argv: ["cat", file] });
  await draft.sink.fromFile("copy", file);
  await draft.sink.fromBytes("label", Buffer.from("small"));
  const manifest = manifestFor(draft, policy);
  return { manifest, sha256: await draft.commit(manifest) };
}

describe.each(["none", "gzip", "zstd"] as const)("with codec %s", (codec) => {
  let f: Fixture;
  beforeAll(async () => {
    f = await makeFixture({ codec });
  });
  afterAll(() => f.remove());

  it("gives back what it got, and a second opening finds it from the store alone", async () => {
    const file = join(f.folder, "in");
    const content = Buffer.concat([randomBytes(3_000_000), Buffer.alloc(2_000_000, "text ")]);
    await writeFile(file, content);
    await storePoint(await f.open(), file);
    const repository = await f.open();
    const catalogue = await repository.catalogue();
    expect(catalogue).toMatchObject({ complete: true, unreadable: [], remarks: [] });
    const { manifest } = catalogue.points[0]!;
    const source = repository.source(manifest);
    const [base, copy, label] = manifest.artifacts;
    await source.intoFile(base!, join(f.folder, "out"));
    expect(hashOf(await readFile(join(f.folder, "out")))).toBe(hashOf(content));
    await source.intoCommand(copy!, { argv: ["dd", `of=${join(f.folder, "out2")}`, "status=none"] });
    expect(hashOf(await readFile(join(f.folder, "out2")))).toBe(hashOf(content));
    expect(Buffer.from(await source.bytes(label!)).toString()).toBe("small");
    await expect(source.intoFile(base!, join(f.folder, "out"))).rejects.toMatchObject({
      code: "target-not-empty",
    });
    expect(await repository.verifyObjects(manifest, "checksum")).toEqual([]);
  });

  it("refuses an empty backup and leaves nothing of failed ones", async () => {
    const draft = await (await f.open("other")).draft(id, "");
    const run = (script: string) => draft.sink.fromCommand("a", { argv: ["sh", "-c", script] });
    await expect(run("true")).rejects.toMatchObject({ code: "empty-backup" });
    await expect(run("head -c 3000000 /dev/urandom; exit 3")).rejects.toMatchObject({ code: "tool-failed" });
    await expect(run("echo x; kill -9 $$")).rejects.toMatchObject({ code: "tool-failed" });
    expect(draft.artifacts).toEqual([]);
    const left = [];
    for await (const info of f.store.list("other/data/")) left.push(info.key);
    expect(left).toEqual([]);
    expect(await f.store.unfinishedUploads("other/")).toEqual([]);
  });
});

describe("damage is found and named", () => {
  let f: Fixture;
  let repository: Repository;
  let manifest: Manifest;
  const pathOf = (key: string) => join(f.settings.path, key);
  const base = () => manifest.artifacts[0]!;
  const object = () => pathOf(base().objects[0]!.key);
  beforeAll(async () => {
    f = await makeFixture({ codec: "zstd" });
    repository = await f.open();
    const file = join(f.folder, "in");
    await writeFile(file, randomBytes(900_000));
    ({ manifest } = await storePoint(repository, file));
  });
  afterAll(() => f.remove());

  const flip = async (at: number) => {
    const bytes = await readFile(object());
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    await writeFile(object(), bytes);
  };
  it.each<[string, () => Promise<void>, string, string]>([
    ["a bit of the first frame", () => flip(2000), "checksum", "data-damaged"],
    ["a bit of the last tag", () => flip(-1), "checksum", "data-damaged"],
    ["a bit of the magic", () => flip(3), "envelope", "data-damaged"],
    [
      "cut by one byte",
      async () => truncate(object(), base().objects[0]!.sizeBytes - 1),
      "size",
      "data-damaged",
    ],
    ["cut to nothing", () => truncate(object(), 0), "size", "data-damaged"],
    [
      "bytes added",
      async () => writeFile(object(), Buffer.concat([await readFile(object()), Buffer.alloc(9)])),
      "size",
      "data-damaged",
    ],
    ["removed", () => rm(object()), "missing", "object-missing"],
    [
      "zeros of the same size",
      async () => writeFile(object(), Buffer.alloc(base().objects[0]!.sizeBytes)),
      "envelope",
      "data-damaged",
    ],
    [
      "another artifact's object",
      () => copyFile(pathOf(manifest.artifacts[1]!.objects[0]!.key), object()),
      "context",
      "data-damaged",
    ],
  ])("%s", async (_name, damage, fault, code) => {
    const whole = await readFile(object());
    try {
      await damage();
      const [found] = await repository.verifyObjects(manifest, "checksum");
      expect(found).toMatchObject({ key: base().objects[0]!.key, artifact: "base.tar" });
      // Two objects of one content have one size but for their names' lengths.
      if (fault !== "context") expect(found!.fault).toBe(fault);
      const target = join(f.folder, "damaged");
      const reading = repository.source(manifest).intoFile(base(), target);
      await expect(reading).rejects.toMatchObject({
        code,
        message: expect.stringContaining(base().objects[0]!.key),
      });
      await expect(readFile(target)).rejects.toThrow("ENOENT");
    } finally {
      await writeFile(object(), whole);
    }
  });

  it("tells wrong and missing keys apart", async () => {
    const { newIdentity } = await import("../../../src/crypto/identity.ts");
    const stranger = await f.open("pg", [(await newIdentity()).identity]);
    const blind = await f.open("pg", []);
    const target = join(f.folder, "t");
    await expect(stranger.source(manifest).intoFile(base(), target)).rejects.toMatchObject({
      code: "key-wrong",
    });
    await expect(blind.source(manifest).intoFile(base(), target)).rejects.toMatchObject({
      code: "key-missing",
    });
  });

  it.each<[string, (m: Manifest) => unknown]>([
    ["no JSON", () => undefined],
    ["null", () => null],
    ["another policy's", (m) => ({ ...m, policy: "other" })],
    ["another cluster's", (m) => ({ ...m, cluster: "staging" })],
    ["another point's", (m) => ({ ...m, id: "20261121T020000Z" })],
    [
      "keys outside its place",
      (m) => ({
        ...m,
        artifacts: [
          { ...m.artifacts[0]!, objects: [{ ...m.artifacts[0]!.objects[0]!, key: "../../etc/passwd" }] },
        ],
      }),
    ],
    ["numbers as texts", (m) => ({ ...m, sizeBytes: "1" })],
    ["parents as an object", (m) => ({ ...m, parents: { length: 1e9 } })],
  ])("a manifest that is %s is unreadable, never a crash", async (_name, change) => {
    const path = pathOf(`pg/manifests/${id}.json`);
    const whole = await readFile(path);
    try {
      await writeFile(path, JSON.stringify(change(manifest)) ?? "{oops");
      const catalogue = await (await f.open()).catalogue();
      expect(catalogue.points).toEqual([]);
      expect(catalogue.unreadable).toMatchObject([{ id }]);
    } finally {
      await writeFile(path, whole);
    }
  });

  it("a manifest that vanishes makes the catalogue incomplete", async () => {
    const path = pathOf(`pg/manifests/${id}.json`);
    await repository.catalogue();
    await rename(path, `${path}.away`);
    expect(await repository.catalogue()).toMatchObject({ complete: false, points: [] });
    await rename(`${path}.away`, path);
  });
});

describe("writing once and removing", () => {
  let f: Fixture;
  let repository: Repository;
  let file: string;
  beforeAll(async () => {
    f = await makeFixture();
    repository = await f.open();
    file = join(f.folder, "in");
    await writeFile(file, randomBytes(10_000));
  });
  afterAll(() => f.remove());

  it("lets one of two runs have a slot", async () => {
    await storePoint(repository, file);
    await expect(storePoint(await f.open(), file)).rejects.toMatchObject({ code: "object-exists" });
    const draft = await repository.draft("20261121T020000Z", "");
    await draft.sink.fromBytes("a", Buffer.from("x"));
    await expect(draft.commit({ ...manifestFor(draft), artifacts: [] })).rejects.toMatchObject({
      code: "manifest-invalid",
    });
    await draft.discard();
    await draft.discard();
  });

  it("knows its marker from a foreign one", async () => {
    expect((await repository.identity()).identity).toBe("missing");
    await repository.mark();
    expect((await repository.identity()).identity).toBe("ours");
    const foreign = await f.open("pg", [], "staging");
    expect((await foreign.identity()).identity).toBe("foreign");
    await expect(foreign.mark()).rejects.toMatchObject({ code: "store-identity" });
  });

  it("removes a point only past every guard", async () => {
    const [point] = (await repository.catalogue()).points;
    const refused = { code: "guard-refused" };
    const nowMs = Date.now();
    await expect(repository.removePoint(id, nowMs)).rejects.toMatchObject(refused);
    await repository.addTombstone(tombstoneFor("0".repeat(64)));
    await expect(repository.removePoint(id, nowMs)).rejects.toThrow("not the one that was tombstoned");
    await repository.addTombstone(tombstoneFor(point!.manifestSha256, nowMs + day));
    await expect(repository.removePoint(id, nowMs)).rejects.toThrow("grace");
    await repository.addTombstone(tombstoneFor(point!.manifestSha256));
    const hold = {
      apiVersion: "holdfast.dev/v1",
      kind: "Hold",
      policy: "pg",
      point: id,
      by: "ann",
      reason: "audit",
      until: null,
    } as const;
    await repository.addHold({ ...hold, at: new Date(nowMs).toISOString() });
    await expect(repository.removePoint(id, nowMs)).rejects.toThrow("'ann' holds it");
    await repository.removeHold(id);
    await expect((await f.open("pg", [], "staging")).removePoint(id, nowMs)).rejects.toMatchObject(refused);
    expect((await repository.removePoint(id, nowMs)).removedBytes).toBeGreaterThan(10_000);
    expect(await repository.catalogue()).toMatchObject({ points: [], complete: true });
    await expect(repository.removeLog(["pg/manifests/x.json"])).rejects.toMatchObject(refused);
  });

  it("sweeps left-overs that are old, and nothing a manifest names", async () => {
    const { manifest } = await storePoint(repository, file);
    const draft = await repository.draft("20261122T020000Z", "");
    await draft.sink.fromBytes("orphan", Buffer.from("x"));
    expect(await repository.sweep(Date.now(), day, true)).toEqual([]);
    const swept = await repository.sweep(Date.now() + 2 * day, day, true);
    expect(swept.map((o) => o.key).filter((k) => !k.includes("20261122T020000Z/"))).not.toContain(
      manifest.artifacts[0]!.objects[0]!.key,
    );
    expect(swept.some((o) => o.key.includes("orphan"))).toBe(true);
    expect(await repository.verifyObjects(manifest, "checksum")).toEqual([]);
  });

  it("gives a lock to one holder", async () => {
    const lease = await repository.lock("run", "first");
    await expect((await f.open()).lock("run", "second")).rejects.toThrow("held by 'first'");
    await lease.release();
    await (await repository.lock("run", "second")).release();
    const expired = {
      holder: "dead",
      id: "x",
      acquiredAt: new Date(0).toISOString(),
      expiresAt: new Date(0).toISOString(),
    };
    await f.store.put("pg/locks/run.json", Buffer.from(JSON.stringify(expired)));
    const both = await Promise.allSettled([repository.lock("run", "a"), (await f.open()).lock("run", "b")]);
    expect(both.filter((r) => r.status === "fulfilled")).toHaveLength(1);
    for (const r of both) if (r.status === "fulfilled") await r.value.release();
  });
});

describe("the change log", () => {
  let f: Fixture;
  beforeAll(async () => {
    f = await makeFixture();
  });
  afterAll(() => f.remove());
  const segment = { branch: "00000001", name: "000000010000000000000003" };

  it.each(["zstd", "gzip", "none"] as const)(
    "stores many at once as it stores one, with codec %s",
    async (codec) => {
      const g = await makeFixture({ codec });
      try {
        const { log } = await g.open();
        // So many that a program gets more than one.
        const contents = Array.from({ length: 9 }, (_, i) =>
          Buffer.concat([randomBytes(i * 400_000 + 1), Buffer.alloc(300_000, `row ${i} `)]),
        );
        const files = contents.map((_, i) => {
          const name = `00000001000000000000000${i + 1}`;
          return { branch: "00000001", name, path: join(g.folder, name) };
        });
        for (const [i, file] of files.entries()) await writeFile(file.path, contents[i] ?? "");
        const scratch = join(g.folder, "scratch");
        await log.putAll(files.slice(0, 3), scratch);
        const told: number[] = [];
        await log.putAll(files, scratch, async (storedCount) => {
          // All it tells of are there, whatever the other lanes do.
          const { segments } = await log.archive();
          const there = new Set(segments.map((s) => s.name));
          expect(files.slice(0, storedCount).filter((f) => !there.has(f.name))).toEqual([]);
          told.push(storedCount);
        });
        expect(told).toEqual([...told].sort((a, b) => a - b));
        expect(told.at(-1)).toBe(files.length);
        await log.putAll([], scratch, () => Promise.reject(new Error("told of nothing")));
        const left = async () => (await readdir(g.folder)).filter((name) => name.startsWith("scratch"));
        expect(await left()).toEqual([]);
        const { segments } = await log.archive();
        expect(segments.map((s) => s.name)).toEqual(files.map((f) => f.name));
        for (const [i, { key }] of segments.entries()) {
          const out = join(g.folder, `out-${i}`);
          expect(await log.fetch(key, out)).toBe(true);
          expect(hashOf(await readFile(out))).toBe(hashOf(contents[i] ?? Buffer.alloc(0)));
          await log.put(files[i]!, files[i]!.path);
        }
        await writeFile(files[1]!.path, "other");
        await expect(log.putAll(files, scratch)).rejects.toMatchObject({ code: "data-damaged" });
        await rm(files[4]!.path);
        await expect(log.putAll([files[0]!, files[4]!], scratch)).rejects.toMatchObject({
          code: expect.stringMatching(/^(tool-failed|ENOENT)$/),
        });
        expect(await left()).toEqual([]);
      } finally {
        await g.remove();
      }
    },
  );

  it("stores a segment once, takes it twice, and refuses other content", async () => {
    const { log } = await f.open();
    const path = join(f.folder, "segment");
    const content = Buffer.concat([randomBytes(1_000_000), Buffer.alloc(15_777_216)]);
    await writeFile(path, content);
    await log.putPartial(segment, path);
    await log.put(segment, path);
    await (await f.open()).log.put(segment, path);
    await writeFile(path, randomBytes(1000));
    await expect(log.put(segment, path)).rejects.toMatchObject({ code: "data-damaged" });
    await writeFile(path, "00000001\t3\tno recovery target\n");
    await log.putHistory("00000002", path);
    const archive = await log.archive();
    expect(archive.segments).toMatchObject([
      { sequence: 3, partial: false },
      { sequence: 3, partial: true },
    ]);
    expect(archive.branches).toContainEqual({
      branch: "00000002",
      parent: "00000001",
      forkSequence: 3,
      key: "pg-wal/log/00000002.history",
    });
    const out = join(f.folder, "fetched");
    expect(await log.fetch(archive.segments[0]!.key, out)).toBe(true);
    expect(hashOf(await readFile(out))).toBe(hashOf(content));
    expect(await log.fetch("pg-wal/log/00000001/000000010000000000000009", join(f.folder, "no"))).toBe(false);
    expect((await readdir(f.folder)).filter((n) => n.endsWith(".part"))).toEqual([]);
  });
});
