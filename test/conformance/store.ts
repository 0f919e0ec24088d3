/** What every store must do, whatever it stands on. Each implementation's test calls `storeConformance`. */
import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type { ObjectInfo, Store, UnfinishedUpload } from "../../src/store/store.ts";
import { seed } from "../seed.ts";

export interface StoreUnderTest {
  readonly store: Store;
  stop(): Promise<void>;
}

/** What this implementation is known to honour; the probe must say exactly this. */
export interface Expected {
  readonly ifAbsent: boolean;
  readonly ifMatch: boolean;
}

/** Small and seeded; tests that fail can be run again with the same numbers. */
export function seededRandom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export async function collect(listing: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of listing) found.push(info);
  return found;
}

export async function uploadsBelow(store: Store, prefix: string): Promise<readonly UnfinishedUpload[]> {
  return store.unfinishedUploads(prefix);
}

export function failsWith(action: Promise<unknown>, code: ErrorCode): Promise<void> {
  return expect(action).rejects.toMatchObject({ name: "HoldfastError", code });
}

const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export function storeConformance(
  title: string,
  open: () => Promise<StoreUnderTest>,
  expected: Expected,
): void {
  describe(`${title} (seed ${seed})`, () => {
    let opened: StoreUnderTest;
    let store: Store;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(async () => {
      await store?.close();
      await opened?.stop();
    });

    it("gives back what was put, whole and in ranges", async () => {
      const bytes = randomBytes(100_000);
      const info = await store.put("get/one", bytes);
      expect(info).toMatchObject({ key: "get/one", sizeBytes: 100_000 });
      const got = await store.get("get/one");
      expect(sha(got.bytes)).toBe(sha(bytes));
      expect(got.info).toMatchObject({ key: "get/one", sizeBytes: 100_000, etag: info.etag });
      expect(sha(await buffer(await store.read("get/one")))).toBe(sha(bytes));
      expect(sha(await buffer(await store.read("get/one", 10, 20)))).toBe(sha(bytes.subarray(10, 20)));
      expect(sha(await buffer(await store.read("get/one", 99_990)))).toBe(sha(bytes.subarray(99_990)));
      expect(sha(await buffer(await store.read("get/one", 99_990, 200_000)))).toBe(
        sha(bytes.subarray(99_990)),
      );
      expect(await buffer(await store.read("get/one", 5, 5))).toHaveLength(0);
    });

    it("keeps an empty object and a key of many letters", async () => {
      await store.put("odd/empty", new Uint8Array());
      expect((await store.get("odd/empty")).bytes).toHaveLength(0);
      expect(await buffer(await store.read("odd/empty"))).toHaveLength(0);
      const key = "odd/a b+c=d&e%20f~é日.x'()!*,;@$[]";
      await store.put(key, Buffer.from("x"));
      expect((await store.get(key)).bytes.toString()).toBe("x");
      expect(await buffer(await store.read(key))).toHaveLength(1);
      const upload = store.upload(`${key}2`);
      await upload.write(Buffer.from("y"));
      await upload.complete();
      expect((await collect(store.list("odd/a"))).map((i) => i.key)).toEqual([key, `${key}2`]);
      await store.remove([key]);
      expect(await store.head(key)).toBeUndefined();
    });

    it("says object-missing for what is not there, and head says undefined", async () => {
      expect(await store.head("none")).toBeUndefined();
      await failsWith(store.get("none"), "object-missing");
      await failsWith(store.read("none"), "object-missing");
      await failsWith(store.read("none", 1, 2), "object-missing");
      await store.remove(["none", "none/other"]);
    });

    it("refuses keys that are no plain relative path", async () => {
      for (const key of ["", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\0b", "a\nb"]) {
        await failsWith(
          Promise.resolve().then(() => store.put(key, Buffer.from("x"))),
          "usage",
        );
        await failsWith(
          Promise.resolve().then(() => store.get(key)),
          "usage",
        );
        await failsWith(
          Promise.resolve().then(() => store.remove([key])),
          "usage",
        );
      }
    });

    it("overwrites without a condition, and the etag tells", async () => {
      const first = await store.put("over/a", Buffer.from("one"));
      const second = await store.put("over/a", Buffer.from("two!"));
      expect(second.etag).not.toBe(first.etag);
      expect((await store.head("over/a"))?.etag).toBe(second.etag);
      expect((await store.head("over/a"))?.sizeBytes).toBe(4);
    });

    it("finds its abilities by trying and leaves nothing behind", async () => {
      expect(await store.abilities()).toMatchObject(expected);
      expect(await collect(store.list(".holdfast-probe/"))).toEqual([]);
    });

    it("keeps the first of two writers with ifAbsent", async () => {
      await store.put("cond/a", Buffer.from("one"), { ifAbsent: true });
      await failsWith(store.put("cond/a", Buffer.from("two"), { ifAbsent: true }), "object-exists");
      expect((await store.get("cond/a")).bytes.toString()).toBe("one");
      const upload = store.upload("cond/a", { ifAbsent: true });
      await upload.write(Buffer.from("three"));
      await failsWith(upload.complete(), "object-exists");
      expect((await store.get("cond/a")).bytes.toString()).toBe("one");
      expect(await store.unfinishedUploads("cond/")).toEqual([]);
    });

    it("replaces with ifMatch only what was read", async () => {
      const first = await store.put("cond/m", Buffer.from("one"));
      const second = await store.put("cond/m", Buffer.from("two"), { ifMatch: first.etag });
      await failsWith(store.put("cond/m", Buffer.from("three"), { ifMatch: first.etag }), "object-exists");
      expect((await store.get("cond/m")).bytes.toString()).toBe("two");
      expect((await store.head("cond/m"))?.etag).toBe(second.etag);
      await failsWith(store.put("cond/gone", Buffer.from("x"), { ifMatch: first.etag }), "object-exists");
      expect(await store.head("cond/gone")).toBeUndefined();
    });

    it.runIf(expected.ifAbsent)("lets exactly one of many concurrent ifAbsent writers win", async () => {
      const tries = Array.from({ length: 12 }, (_, n) =>
        store.put("race/a", Buffer.from(`writer ${n}`), { ifAbsent: true }).then(
          () => n,
          () => undefined,
        ),
      );
      const winners = (await Promise.all(tries)).filter((n) => n !== undefined);
      expect(winners).toHaveLength(1);
      expect((await store.get("race/a")).bytes.toString()).toBe(`writer ${winners[0]}`);
    });

    it.runIf(expected.ifMatch)("loses no update among concurrent ifMatch writers", async () => {
      await store.put("race/count", Buffer.from("0"));
      const add = async () => {
        for (;;) {
          const { bytes, info } = await store.get("race/count");
          try {
            await store.put("race/count", Buffer.from(String(Number(bytes.toString()) + 1)), {
              ifMatch: info.etag,
            });
            return;
          } catch (error) {
            if ((error as { code?: string }).code !== "object-exists") throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: 6 }, add));
      expect((await store.get("race/count")).bytes.toString()).toBe("6");
    });

    it("shows an upload only when it is complete", async () => {
      const bytes = randomBytes(21 * 1024 * 1024 + 17);
      const upload = store.upload("up/big", { ifAbsent: true });
      const random = seededRandom(seed);
      for (let at = 0; at < bytes.length; ) {
        const next = Math.min(bytes.length, at + 1 + Math.floor(random() * 1_500_000));
        await upload.write(bytes.subarray(at, next));
        at = next;
      }
      expect(await store.head("up/big")).toBeUndefined();
      expect(await collect(store.list("up/"))).toEqual([]);
      const info = await upload.complete();
      expect(info).toMatchObject({ key: "up/big", sizeBytes: bytes.length });
      expect((await store.head("up/big"))?.etag).toBe(info.etag);
      expect(sha(await buffer(await store.read("up/big")))).toBe(sha(bytes));
      expect(await store.unfinishedUploads("up/")).toEqual([]);
      const again = store.upload("up/big", { ifAbsent: true });
      await again.write(bytes.subarray(0, 9 * 1024 * 1024));
      await failsWith(again.complete(), "object-exists");
      expect((await store.head("up/big"))?.sizeBytes).toBe(bytes.length);
      expect(await store.unfinishedUploads("up/")).toEqual([]);
    });

    it("keeps an empty upload", async () => {
      const info = await store.upload("up/none").complete();
      expect(info.sizeBytes).toBe(0);
      expect((await store.head("up/none"))?.sizeBytes).toBe(0);
    });

    it("leaves nothing after abort, and finds what a crash left", async () => {
      const aborted = store.upload("abort/a");
      await aborted.write(randomBytes(17 * 1024 * 1024));
      await aborted.abort();
      await aborted.abort();
      expect(await store.head("abort/a")).toBeUndefined();
      expect(await store.unfinishedUploads("abort/")).toEqual([]);
      const left = store.upload("abort/b");
      await left.write(randomBytes(17 * 1024 * 1024));
      const found = await store.unfinishedUploads("abort/");
      expect(found.map((u) => u.key)).toEqual(["abort/b"]);
      expect(Math.abs(Date.parse(found[0]!.startedAt) - Date.now())).toBeLessThan(600_000);
      await store.abortUpload(found[0]!);
      expect(await store.unfinishedUploads("abort/")).toEqual([]);
      await store.abortUpload(found[0]!);
      await left.abort().catch(() => {});
      expect(await store.head("abort/b")).toBeUndefined();
    });

    it("lists in key order, below a prefix, after a key", async () => {
      const names = ["a", "a.b", "a/b", "a/c/d", "a0", "b/x", "c-1", "c/1", "c1"].map((n) => `list/${n}x`);
      for (const name of names) await store.put(name, Buffer.from(name));
      const sorted = [...names].sort();
      expect((await collect(store.list("list/"))).map((i) => i.key)).toEqual(sorted);
      expect((await collect(store.list("list/a"))).map((i) => i.key)).toEqual(
        sorted.filter((k) => k.startsWith("list/a")),
      );
      for (const after of [...sorted, "list/a/", "list/b", "list/zz", "a"])
        expect((await collect(store.list("list/", { after }))).map((i) => i.key)).toEqual(
          sorted.filter((k) => k > after),
        );
      const one = (await collect(store.list("list/ax")))[0]!;
      expect(one.etag).toBe((await store.head("list/ax"))!.etag);
      expect(Math.abs(Date.parse(one.modifiedAt) - Date.now())).toBeLessThan(600_000);
      expect(await collect(store.list("nothing/here/"))).toEqual([]);
    });

    it("lists and removes more than one page", async () => {
      const names = Array.from({ length: 1_205 }, (_, n) => `many/${String(n).padStart(5, "0")}`);
      for (let at = 0; at < names.length; at += 60)
        await Promise.all(names.slice(at, at + 60).map((name) => store.put(name, Buffer.from("x"))));
      expect((await collect(store.list("many/"))).map((i) => i.key)).toEqual(names);
      await store.remove(names.slice(3));
      expect((await collect(store.list("many/"))).map((i) => i.key)).toEqual(names.slice(0, 3));
    });

    it("has no lock on an object where none was set", async () => {
      await store.put("lock/a", Buffer.from("x"));
      expect(await store.lockedUntil("lock/a")).toBeUndefined();
    });
  });
}
