/** What was sealed opens whole with the right key in the right place, and in no other way. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type DataKey, newDataKey, openKeyRing } from "../../../src/crypto/data-key.ts";
import { type EnvelopeContext, frameBytes, readHeader } from "../../../src/crypto/header.ts";
import { newIdentity, recipientOf } from "../../../src/crypto/identity.ts";
import { seal } from "../../../src/crypto/seal.ts";
import { unseal } from "../../../src/crypto/unseal.ts";
import { seed } from "../../seed.ts";

console.info(`HOLDFAST_SEED=${seed}`);
const context: EnvelopeContext = {
  cluster: "prod",
  policy: "pg",
  point: "20261120T020000Z",
  object: "data/x.000000",
};
const sealedBytes = frameBytes + 16;
let mine: { identity: string; recipient: string };
let other: { identity: string; recipient: string };
let dataKey: DataKey;
beforeAll(async () => {
  [mine, other] = await Promise.all([newIdentity(), newIdentity()]);
  dataKey = await newDataKey([mine.recipient]);
});

function close(plain: Buffer, key = dataKey, at = context): Buffer {
  const sealer = seal(key, { context: at, codec: "none" });
  return Buffer.concat([sealer.header(), ...sealer.push(plain), ...sealer.end()]);
}
async function* cutUp(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function open(bytes: Buffer, identities = [mine.identity], size = 65536, expected = context) {
  const out: Buffer[] = [];
  const ring = openKeyRing(async () => identities);
  for await (const plain of unseal(cutUp(bytes, size), ring, expected)) out.push(plain);
  return Buffer.concat(out);
}

it("gives back what it got, whatever the sizes", async () => {
  const edges = [0, 1, frameBytes - 1, frameBytes, frameBytes + 1, 2 * frameBytes, 2 * frameBytes + 7];
  const sizes = fc.oneof(fc.constantFrom(...edges), fc.nat(3 * frameBytes));
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1000, max: 300_000 }), async (size, step) => {
      const plain = randomBytes(size);
      const sealer = seal(dataKey, { context, codec: "zstd" });
      const parts = [sealer.header()];
      for await (const chunk of cutUp(plain, step)) parts.push(...sealer.push(chunk));
      parts.push(...sealer.end());
      expect((await open(Buffer.concat(parts), undefined, step)).equals(plain)).toBe(true);
    }),
    { seed, numRuns: 40 },
  );
});

describe("damage", () => {
  const plain = randomBytes(3 * frameBytes);
  const frame = (sealed: Buffer, index: number) => {
    const from = readHeader(sealed)!.lengthBytes + index * sealedBytes;
    return sealed.subarray(from, from + sealedBytes);
  };
  const rebuilt = (sealed: Buffer, ...order: number[]) =>
    Buffer.concat([
      sealed.subarray(0, readHeader(sealed)!.lengthBytes),
      ...order.map((i) => frame(sealed, i)),
    ]);
  const headerEdit = (sealed: Buffer, from: string, to: string) => {
    const { lengthBytes } = readHeader(sealed)!;
    const header = sealed.subarray(0, lengthBytes).toString().replace(from, to);
    return Buffer.concat([Buffer.from(header), sealed.subarray(lengthBytes)]);
  };
  it.each<[string, (sealed: Buffer) => Buffer]>([
    ["cut at a frame boundary", (s) => rebuilt(s, 0, 1)],
    ["cut inside a frame", (s) => s.subarray(0, s.length - 5)],
    ["cut to the header", (s) => rebuilt(s)],
    ["cut inside the header", (s) => s.subarray(0, 50)],
    ["nothing at all", () => Buffer.alloc(0)],
    ["frames in another order", (s) => rebuilt(s, 1, 0, 2)],
    ["a frame twice", (s) => rebuilt(s, 0, 0, 1, 2)],
    ["the last frame twice", (s) => rebuilt(s, 0, 1, 2, 2)],
    ["a frame left out", (s) => rebuilt(s, 0, 2)],
    ["a byte added", (s) => Buffer.concat([s, Buffer.from([0])])],
    ["another object's frame", (s) => Buffer.concat([rebuilt(s, 0, 1), frame(close(plain), 2)])],
    ["codec changed", (s) => headerEdit(s, '"codec":"none"', '"codec":"gzip"')],
    [
      "salt changed",
      (s) => headerEdit(s, '"salt":"', `"salt":"${randomBytes(32).toString("base64")}","x":"`),
    ],
    ["wrapped key changed", (s) => headerEdit(s, '"wrappedKey":"YWdl', '"wrappedKey":"YWdm')],
    ["no JSON", (s) => headerEdit(s, "{", "[")],
    ["another format", (s) => Buffer.concat([Buffer.from("HOLDFAST-ENVELOPE/2\n"), s.subarray(20)])],
  ])("is found: %s", async (_name, damage) => {
    await expect(open(damage(close(plain)))).rejects.toMatchObject({ code: "data-damaged" });
  });

  it("is found for any single bit of a frame or the header, and nothing false comes out before", async () => {
    const sealed = close(randomBytes(1000));
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
        const bad = Buffer.from(sealed);
        bad[bit >> 3]! ^= 1 << (bit & 7);
        await expect(open(bad)).rejects.toThrow();
      }),
      { seed, numRuns: 200 },
    );
  });
});

describe("keys and places", () => {
  it("tells a wrong key from a missing one", async () => {
    const sealed = close(Buffer.from("x"));
    await expect(open(sealed, [other.identity])).rejects.toMatchObject({ code: "key-wrong" });
    await expect(open(sealed, [])).rejects.toMatchObject({ code: "key-missing" });
    await expect(newDataKey([])).rejects.toMatchObject({ code: "key-missing" });
    await expect(newDataKey(["age1nonsense"])).rejects.toMatchObject({ code: "key-wrong" });
  });

  it("opens with any recipient's identity", async () => {
    const sealed = close(Buffer.from("both"), await newDataKey([mine.recipient, other.recipient]));
    expect((await open(sealed, [other.identity])).toString()).toBe("both");
    expect(await recipientOf(other.identity)).toBe(other.recipient);
  });

  it("says whose identity alone has opened everything that was read", async () => {
    const both = close(Buffer.from("both"), await newDataKey([mine.recipient, other.recipient]));
    const mineOnly = close(Buffer.from("mine"), await newDataKey([mine.recipient]));
    const ring = openKeyRing(async () => [mine.identity, other.identity]);
    const read = async (bytes: Buffer, by = ring) => {
      for await (const _ of unseal(cutUp(bytes, 65536), by, context));
    };
    expect(ring.watch()()).toEqual([]);
    // The second time the data key is known already; it was opened by the same ones all the same.
    for (const _ of [1, 2]) {
      const end = ring.watch();
      await read(both);
      expect(end()).toEqual([mine.recipient, other.recipient]);
      await read(mineOnly);
      expect(end()).toEqual([mine.recipient, other.recipient]);
    }
    for (const order of [
      [both, mineOnly],
      [mineOnly, both],
    ]) {
      const end = ring.watch();
      for (const bytes of order) await read(bytes);
      expect(end()).toEqual([mine.recipient]);
    }
    const wrong = openKeyRing(async () => [other.identity]);
    const endWrong = wrong.watch();
    await expect(read(mineOnly, wrong)).rejects.toMatchObject({ code: "key-wrong" });
    expect(endWrong()).toEqual([]);
  });

  it.each(["cluster", "policy", "point", "object"] as const)("names a foreign %s", async (field) => {
    const sealed = close(Buffer.from("x"), dataKey, { ...context, [field]: "elsewhere" });
    await expect(open(sealed)).rejects.toThrow(`${field} 'elsewhere' found, '${context[field]}' expected`);
  });

  it("does not open with another object's data key behind its header", async () => {
    const swapped = { ...(await newDataKey([mine.recipient])), key: randomBytes(32) };
    await expect(open(close(Buffer.from("x"), swapped))).rejects.toThrow("do not belong together");
  });
});
