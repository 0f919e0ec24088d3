/** An escrow key counts as tried only while the record of its opening a point is there and young enough. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Artifact, KeyProof } from "../../../src/catalogue/manifest.ts";
import { type JudgeInput, judge } from "../../../src/health/judge.ts";
import { mendingOf } from "../../../src/health/mending.ts";
import type { KeyRecipient } from "../../../src/policy/model.ts";
import { catalogue, dayMs, nowMs, point, policy } from "../report/fixtures.ts";

const recipientOf = (letter: string): string => `age1${letter.repeat(58)}`;
const [runner, safe, second] = [recipientOf("q"), recipientOf("p"), recipientOf("z")];
const keys: readonly KeyRecipient[] = [
  { name: "runner", recipient: runner, role: "runner" },
  { name: "escrow", recipient: safe, role: "escrow" },
];
const artifact: Artifact = {
  name: "base.tar",
  codec: "gzip",
  objects: [],
  plainSha256: "c".repeat(64),
  plainSizeBytes: 1,
};
const sealed = point(nowMs - dayMs, { artifacts: [artifact] });
const proof = (ageMs: number, recipient = safe): KeyProof => ({
  apiVersion: "holdfast.dev/v1",
  kind: "KeyProof",
  policy: "postgresql",
  recipient,
  point: sealed.manifest.id,
  level: 3,
  at: instant(nowMs - ageMs),
  manifestSha256: sealed.manifestSha256,
});
const told = (keyProofs: readonly KeyProof[], change: Partial<JudgeInput> = {}): readonly string[] =>
  judge({
    policy: policy(),
    keys,
    catalogue: { ...catalogue([sealed]), keyProofs },
    jobs: [],
    nowMs,
    ...change,
  })
    .conditions.filter((c) => c.kind === "escrow-unproven")
    .map((c) => c.message);

describe("an escrow key", () => {
  it("is untried until it has opened a point, then tried for as long as the checklist says", () => {
    expect(told([])).toEqual([
      "escrow key 'escrow' has never opened a recovery point: nobody knows whether it can",
    ]);
    expect(told([proof(180 * dayMs)])).toEqual([]);
    expect(told([proof(181 * dayMs)])).toEqual([
      `escrow key 'escrow' opened point ${sealed.manifest.id} 181d ago and is asked for every 180d`,
    ]);
    const impatient = policy({ verification: { ...policy().verification, escrowEveryMs: dayMs } });
    expect(told([proof(2 * dayMs)], { policy: impatient })).toHaveLength(1);
  });

  it("is not proved by the runner's key, nor by the one that had its name before", () => {
    expect(told([proof(0, runner)])).toHaveLength(1);
    expect(told([proof(0, second)])).toHaveLength(1);
  });

  it("is asked for by itself where there are several", () => {
    const both = [...keys, { name: "bank", recipient: second, role: "escrow" } as const];
    const change = {
      keys: both,
      policy: policy({ encryption: { recipients: ["runner", "escrow", "bank"] } }),
    };
    expect(told([proof(0)], change)).toEqual([
      "escrow key 'bank' has never opened a recovery point: nobody knows whether it can",
    ]);
    expect(told([proof(0), proof(0, second)], change)).toEqual([]);
  });

  it("is not asked for where it opens nothing: no point, another policy's key, bytes a tool has carried", () => {
    expect(told([], { catalogue: catalogue([]) })).toEqual([]);
    expect(told([], { policy: policy({ encryption: { recipients: ["runner"] } }) })).toEqual([]);
    const carried = point(nowMs - dayMs, { artifacts: [{ ...artifact, carried: true }] });
    expect(told([], { catalogue: catalogue([carried]) })).toEqual([]);
    expect(told([], { policy: policy({ suspended: true }) })).toEqual([]);
  });

  it("stays tried when the point it has opened is gone", () => {
    const next = point(nowMs, { artifacts: [artifact] });
    expect(told([], { catalogue: { ...catalogue([next]), keyProofs: [proof(30 * dayMs)] } })).toEqual([]);
  });
});

describe("an issue about an escrow key", () => {
  const failure = { when: "escrow-unproven", sinceMs: nowMs - dayMs, heldMs: nowMs } as const;

  it("is closed by an opening after it began and by no other proof", () => {
    const closed = (keyProofs: readonly KeyProof[]) =>
      mendingOf(policy(), { ...catalogue([sealed]), keyProofs }, failure);
    expect(closed([])).toMatchObject({
      isProved: false,
      next: "holdfast verify postgresql --level 3 --identity FILE",
    });
    expect(closed([proof(2 * dayMs)]).isProved).toBe(false);
    expect(closed([proof(1000)])).toMatchObject({ isProved: true, next: "" });
  });
});
