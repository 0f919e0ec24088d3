/** Folder store on a disk that is full: the right code, and nothing half done. Needs root for the small disk. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openDirectoryStore } from "../../../src/store/directory.ts";
import { collect, failsWith } from "../../conformance/store.ts";
import { directorySettings } from "../../servers/settings.ts";

let path = "";
let mounted = false;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "holdfast-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", path], { stdio: "ignore" });
    mounted = true;
  } catch {
    mounted = false;
  }
});
afterAll(async () => {
  if (mounted) execFileSync("umount", [path]);
  await rm(path, { recursive: true, force: true });
});

it("a full disk is store-full and leaves nothing half done", async ({ skip }) => {
  if (!mounted) skip("a small disk needs the right to mount");
  const store = openDirectoryStore(directorySettings(path));
  await store.put("kept/a", randomBytes(1_000_000));
  await failsWith(store.put("kept/b", randomBytes(8_000_000)), "store-full");
  const upload = store.upload("kept/c");
  const fill = async () => {
    for (let n = 0; n < 20; n += 1) await upload.write(randomBytes(500_000));
  };
  await failsWith(fill(), "store-full");
  await upload.abort();
  expect((await collect(store.list(""))).map((info) => info.key)).toEqual(["kept/a"]);
  expect(await store.unfinishedUploads("")).toEqual([]);
  expect(await readdir(path)).toEqual(expect.not.arrayContaining([".uploads"]));
  await store.put("kept/b", randomBytes(1_000_000));
  expect((await store.get("kept/a")).bytes).toHaveLength(1_000_000);
});

it("a read-only disk is store-denied, and can still be read", async ({ skip }) => {
  if (!mounted) skip("a small disk needs the right to mount");
  const store = openDirectoryStore(directorySettings(path));
  await store.put("ro/a", Buffer.from("x"));
  execFileSync("mount", ["-o", "remount,ro", path]);
  try {
    await failsWith(store.put("ro/b", Buffer.from("x")), "store-denied");
    await failsWith(store.remove(["ro/a"]), "store-denied");
    expect((await store.get("ro/a")).bytes.toString()).toBe("x");
    expect(await collect(store.list("ro/"))).toHaveLength(1);
  } finally {
    execFileSync("mount", ["-o", "remount,rw", path]);
  }
});

it("a folder whose parent is missing is store-unreachable", async () => {
  const store = openDirectoryStore(directorySettings(join(path, "not", "mounted")));
  await failsWith(collect(store.list("")), "store-unreachable");
  await failsWith(store.put("a", Buffer.from("x")), "store-unreachable");
});
