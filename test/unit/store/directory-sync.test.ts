/** What a folder store waits for the disk with, and what it does not. */
import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { openDirectoryStore } from "../../../src/store/directory.ts";
import { directorySettings } from "../../servers/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-sync-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Counts each sync of a file or a folder, and lets it happen. */
async function countSyncs() {
  const handle = await open(tmpdir(), "r");
  const spy = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, "sync");
  await handle.close();
  return spy;
}

it("syncs an object and the folder of its name, and neither for what means nothing after a crash", async () => {
  const store = openDirectoryStore(directorySettings(folder));
  await store.put("a/first", Buffer.from("makes the folder"));
  const spy = await countSyncs();
  try {
    await store.put("a/kept", Buffer.from("x"), { ifAbsent: true });
    expect(spy).toHaveBeenCalledTimes(2);
    spy.mockClear();
    const { etag } = await store.put("a/lock", Buffer.from("x"), { ifAbsent: true, transient: true });
    await store.put("a/lock", Buffer.from("y"), { ifMatch: etag, transient: true });
    expect(spy).toHaveBeenCalledTimes(0);
    expect((await store.get("a/lock")).bytes.toString()).toBe("y");
  } finally {
    spy.mockRestore();
  }
});
