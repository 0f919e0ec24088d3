/** What a tool carries to the store by itself: the place it gets, the artifact made of it, its checks and its end. */
import { mkdirSync, readlinkSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ToolPlace } from "../../../src/catalogue/artifact.ts";
import type { PointDraft } from "../../../src/repository/repository.ts";
import { makeFixture, manifestFor } from "./fixture.ts";

const id = "20261120T020000Z";
let fixture: Awaited<ReturnType<typeof makeFixture>>;
beforeEach(async () => {
  fixture = await makeFixture();
});
afterEach(() => fixture.remove());

/** What a tool would do. */
function write(place: ToolPlace, files: Readonly<Record<string, string>>): void {
  if (place.kind !== "directory") throw new Error("a folder store gives folders");
  for (const [path, text] of Object.entries(files)) {
    const at = join(place.path, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, text);
  }
}

const files = { ".backup": "<config/>", "data/a%2Eb/all_1_1_0/data.bin": "columns", "metadata/a.sql": "sql" };

async function committed(): Promise<PointDraft> {
  const repository = await fixture.open();
  const draft = await repository.draft(id, "");
  write(await draft.sink.place("backup"), files);
  await draft.sink.fromPlace("backup");
  await draft.commit(manifestFor(draft));
  return draft;
}

describe("artifacts a tool has carried", () => {
  it("are listed, checked at both levels and read back", async () => {
    const draft = await committed();
    const repository = await fixture.open();
    const [point] = (await repository.catalogue()).points;
    const [artifact] = point?.manifest.artifacts ?? [];
    if (point === undefined || artifact === undefined) throw new Error("no point");
    expect(artifact).toMatchObject({ name: "backup", codec: "none", carried: true, plainSizeBytes: 19 });
    expect(artifact.objects.map((o) => o.key)).toEqual(
      Object.keys(files).map((path) => `pg/data/${id}/${draft.runId}/backup/${path}`),
    );
    expect(await repository.verifyObjects(point.manifest, "present")).toEqual([]);
    expect(await repository.verifyObjects(point.manifest, "checksum")).toEqual([]);
    const source = repository.source(point.manifest);
    expect(Buffer.from(await source.carriedBytes(artifact, ".backup")).toString()).toBe("<config/>");
    expect(await source.place(artifact)).toEqual({
      kind: "directory",
      path: join(fixture.settings.path, `pg/data/${id}/${draft.runId}/backup/`),
    });
    await expect(source.bytes(artifact)).rejects.toMatchObject({ code: "usage" });
    await expect(source.carriedBytes(artifact, "../x")).rejects.toMatchObject({ code: "object-missing" });
  });

  it("are on the disk, with the folders they lie in, before there is an artifact of them", async () => {
    const draft = await (await fixture.open()).draft(id, "");
    const place = await draft.sink.place("backup");
    write(place, files);
    const probe = await open(fixture.settings.path);
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const synced: string[] = [];
    const { sync } = prototype;
    prototype.sync = async function (this: FileHandle) {
      const path = readlinkSync(`/proc/self/fd/${this.fd}`);
      await sync.call(this);
      synced.push(path);
    };
    try {
      await draft.sink.fromPlace("backup");
    } finally {
      prototype.sync = sync;
    }
    const root = place.kind === "directory" ? place.path.replace(/\/$/, "") : "";
    const paths = Object.keys(files).map((path) => join(root, path));
    const folders = ["data", "data/a%2Eb", "data/a%2Eb/all_1_1_0", "metadata"].map((path) =>
      join(root, path),
    );
    expect(synced).toEqual(
      expect.arrayContaining([...paths, ...folders, root, join(fixture.settings.path, `pg/data/${id}`)]),
    );
  });

  it("show a changed, a cut and a missing object by name", async () => {
    await committed();
    const repository = await fixture.open();
    const manifest = (await repository.catalogue()).points[0]?.manifest;
    if (manifest === undefined) throw new Error("no point");
    const [meta, data, sql] = manifest.artifacts.flatMap((a) => a.objects.map((o) => o.key));
    writeFileSync(join(fixture.settings.path, meta ?? ""), "<CONFIG/>");
    writeFileSync(join(fixture.settings.path, data ?? ""), "col");
    await fixture.store.remove([sql ?? ""]);
    const faults = await repository.verifyObjects(manifest, "checksum");
    expect(faults.map((f) => [f.key, f.fault])).toEqual([
      [meta, "checksum"],
      [data, "size"],
      [sql, "missing"],
    ]);
    const [artifact] = manifest.artifacts;
    if (artifact === undefined) throw new Error("no artifact");
    await expect(repository.source(manifest).carriedBytes(artifact, ".backup")).rejects.toMatchObject({
      code: "data-damaged",
    });
  });

  it("go when the attempt is given up, also when the tool never ended well", async () => {
    const repository = await fixture.open();
    const draft = await repository.draft(id, "");
    write(await draft.sink.place("backup"), files);
    await draft.discard();
    const left: string[] = [];
    for await (const { key } of fixture.store.list(`pg/data/`)) left.push(key);
    expect(left).toEqual([]);
  });

  it("are refused when the tool left nothing, or nobody gave it a place", async () => {
    const draft = await (await fixture.open()).draft(id, "");
    await draft.sink.place("backup");
    await expect(draft.sink.fromPlace("backup")).rejects.toMatchObject({ code: "empty-backup" });
    await expect(draft.sink.fromPlace("other")).rejects.toMatchObject({ code: "usage" });
  });

  it("stay in the sweep while a manifest names them, and go without one", async () => {
    const draft = await committed();
    const repository = await fixture.open();
    await repository.mark();
    const stranger = `pg/data/${id}/${draft.runId}/backup/late.bin`;
    await fixture.store.put(stranger, Buffer.from("written after the end"));
    const swept = await repository.sweep(Date.now() + 3_600_000, 0, true);
    expect(swept.map((o) => o.key)).toEqual([stranger]);
    const [point] = (await repository.catalogue()).points;
    expect(point && (await repository.verifyObjects(point.manifest, "checksum"))).toEqual([]);
  });

  it("may lie nowhere but in their own place", async () => {
    const draft = await (await fixture.open()).draft(id, "");
    write(await draft.sink.place("backup"), files);
    await draft.sink.fromPlace("backup");
    const manifest = manifestFor(draft);
    const [artifact] = manifest.artifacts;
    if (artifact === undefined) throw new Error("no artifact");
    for (const path of ["../other/x", "a/../../x", "a//b", "./x"]) {
      const key = `pg/data/${id}/${draft.runId}/backup/${path}`;
      const objects = [{ key, sizeBytes: 1, sha256: "0".repeat(64) }];
      const forged = { ...manifest, artifacts: [{ ...artifact, objects }] };
      await fixture.store.put(`pg/manifests/${id}.json`, Buffer.from(JSON.stringify(forged)));
      const { points, unreadable } = await (await fixture.open()).catalogue();
      expect([points.length, unreadable.length], path).toEqual([0, 1]);
    }
  });
});
