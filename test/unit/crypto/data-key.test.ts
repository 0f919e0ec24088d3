/** Data keys made in a thread beside: as good as those made here, and as strict. */
import { describe, expect, it } from "vitest";
import { newDataKeyBeside, openKeyRing } from "../../../src/crypto/data-key.ts";
import { newIdentity } from "../../../src/crypto/identity.ts";

describe("newDataKeyBeside", () => {
  it("makes a key that the recipient's identity opens, another one each time", async () => {
    const { identity, recipient } = await newIdentity();
    const [one, other] = await Promise.all([newDataKeyBeside([recipient]), newDataKeyBeside([recipient])]);
    const ring = openKeyRing(async () => [identity]);
    expect(await ring.unwrap(one.wrapped, one.recipients)).toEqual(one.key);
    expect(await ring.unwrap(other.wrapped, other.recipients)).toEqual(other.key);
    expect(one.key).toHaveLength(32);
    expect(one.key.equals(other.key)).toBe(false);
    expect(one.recipients).toEqual([recipient]);
  });

  it("says what is wrong with a recipient, and that there is none", async () => {
    await expect(newDataKeyBeside(["age1nonsense"])).rejects.toMatchObject({ code: "key-wrong" });
    await expect(newDataKeyBeside([])).rejects.toMatchObject({ code: "key-missing" });
  });
});
