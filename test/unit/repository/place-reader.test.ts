/** Reading a place while a tool still writes there: the hashes are those of what lies there at the end. */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPlaceReader } from "../../../src/repository/place.ts";
import { openDirectoryStore } from "../../../src/store/directory.ts";
import type { Store } from "../../../src/store/store.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { openMemoryStore } from "../../fakes/memory-store.ts";
import { directorySettings } from "../../servers/settings.ts";
import { until } from "../../servers/waiting.ts";

const place = "pg/data/one/run/backup/";
const mebibyte = 1024 * 1024;
const bytes = (length: number, seed: number): Buffer => {
  const made = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4) made.writeUInt32LE((at * 2_654_435_761 + seed) >>> 0, at);
  return made;
};

/** The store, and how many bytes of each key were asked for. */
function counting(
  store: Store,
  change: Partial<Store> = {},
): { store: Store; readBytes: Map<string, number> } {
  const readBytes = new Map<string, number>();
  const read: Store["read"] = async (key, from = 0, to) => {
    const info = await store.head(key);
    readBytes.set(key, (readBytes.get(key) ?? 0) + ((to ?? info?.sizeBytes ?? 0) - from));
    return store.read(key, from, to);
  };
  const methods = ["list", "head", "settle", "place"] as const;
  const bound = Object.fromEntries(methods.map((m) => [m, (store[m] as () => unknown).bind(store)]));
  return { store: { ...bound, read, ...change } as unknown as Store, readBytes };
}

async function hashesOf(store: Store, change: (ahead: () => Promise<void>) => Promise<void>) {
  const reader = openPlaceReader(store, systemClock, "backup", place, () => {});
  const ended = new AbortController();
  const following = reader.follow(ended.signal);
  // Long enough for several looks.
  await change(() => new Promise((resolve) => setTimeout(resolve, 150)));
  ended.abort();
  await following;
  const { objects } = await reader.finish();
  return Object.fromEntries(objects.map((o) => [o.key.slice(place.length), [o.sizeBytes, o.sha256]]));
}

const expected = (content: Buffer) => [content.length, createHash("sha256").update(content).digest("hex")];

describe("a place that is read ahead", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-place-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => {
    const at = join(folder, place, name);
    mkdirSync(dirname(at), { recursive: true });
    return at;
  };

  it("in a folder: a file that grows is read once, and one that is written anew shorter from its beginning", async () => {
    const { store, readBytes } = counting(openDirectoryStore(directorySettings(folder)));
    const grown = bytes(5 * mebibyte, 1);
    const anew = bytes(mebibyte + 4, 2);
    const found = await hashesOf(store, async (ahead) => {
      writeFileSync(path("grows.bin"), grown.subarray(0, 2 * mebibyte));
      writeFileSync(path("shrinks.bin"), bytes(3 * mebibyte, 3));
      writeFileSync(path("small.bin"), "small");
      await until(async () => (readBytes.get(`${place}grows.bin`) ?? 0) >= 2 * mebibyte);
      appendFileSync(path("grows.bin"), grown.subarray(2 * mebibyte));
      writeFileSync(path("shrinks.bin"), anew);
      await ahead();
      writeFileSync(path("late.bin"), "late");
    });
    expect(found).toEqual({
      "grows.bin": expected(grown),
      "shrinks.bin": expected(anew),
      "small.bin": expected(Buffer.from("small")),
      "late.bin": expected(Buffer.from("late")),
    });
    expect(readBytes.get(`${place}grows.bin`)).toBe(grown.length);
  });

  it("in a bucket: an object put anew is read anew, whatever its size", async () => {
    const memory = openMemoryStore("bucket");
    const s3 = { kind: "s3" } as ReturnType<Store["place"]>;
    const { store, readBytes } = counting(memory, { place: () => s3 });
    const first = bytes(2 * mebibyte, 4);
    const second = bytes(2 * mebibyte, 5);
    const found = await hashesOf(store, async (ahead) => {
      await memory.put(`${place}stays`, first);
      await memory.put(`${place}changes`, first);
      await until(async () => (readBytes.get(`${place}changes`) ?? 0) > 0);
      await ahead();
      await memory.put(`${place}changes`, second);
    });
    expect(found).toEqual({ stays: expected(first), changes: expected(second) });
    expect(readBytes.get(`${place}stays`)).toBe(first.length);
  });

  it("says at the end what went wrong before it, and nothing earlier", async () => {
    const { store } = counting(openDirectoryStore(directorySettings(join(folder, "not/there"))));
    await expect(hashesOf(store, (ahead) => ahead())).rejects.toMatchObject({ code: "store-unreachable" });
  });
});
