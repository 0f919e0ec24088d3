/** A commit that makes something unrestorable needs the review of exactly that; nothing else needs one. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Breach } from "../../../src/plan/outlook.ts";
import type { Review } from "../../../src/plan/review.ts";
import { type GateInput, judgeGate, reviewHoldsMs } from "../../../src/plan/review-gate.ts";
import { parseTrailer, type ReviewTrailer, trailerOf } from "../../../src/plan/review-trailer.ts";

const nowMs = Date.parse("2026-11-26T12:00:00Z");
const hash = (letter: string): string => letter.repeat(64);
const breach: Breach = { policy: "redis", kind: "proven", on: "2026-11-26", message: "no policy is left" };

function review(breaches: readonly Breach[], own = hash("a"), asOfMs = nowMs): Review {
  const change = { policy: "redis", breaches, lost: [], orphaned: 0, shrinksOn: null };
  const outlook = { fromMs: asOfMs, days: 400, pricePerGibMonth: 0.023, changes: [change] };
  return { hash: own, asOf: instant(asOfMs), outlook } as unknown as Review;
}

const line = (change: Partial<ReviewTrailer> = {}): string => {
  const { asOf, days, ...t } = { hash: hash("a"), asOf: instant(nowMs - 60_000), days: 400, ...change };
  return `${t.hash} as-of=${asOf} days=${days} price=0.023`;
};

function judge(change: Partial<GateInput> = {}) {
  return judgeGate({
    review: review([breach]),
    isGateRemoved: false,
    trailers: [],
    again: () => review([breach], hash("a")),
    nowMs,
    ...change,
  });
}

describe("the trailer of a review", () => {
  it("goes through git's form and back", () => {
    const text = trailerOf(review([], hash("b"))) ?? "";
    const [name, value = ""] = text.split(": ");
    expect(name).toBe("Holdfast-Review");
    expect(parseTrailer(value)).toEqual({
      hash: hash("b"),
      asOf: instant(nowMs),
      days: 400,
      pricePerGibMonth: 0.023,
    });
    expect(trailerOf({ ...review([]), outlook: null })).toBeUndefined();
  });
  it.each([
    "",
    "yes",
    hash("a"),
    `${hash("a")} as-of=yesterday days=400 price=0`,
    `${hash("a")} as-of=2026-99-99T00:00:00Z days=400 price=0`,
    `${line()} days=1`,
    line().toUpperCase(),
  ])("is none: %s", (value) => {
    expect(parseTrailer(value)).toBeUndefined();
  });
});

describe("the gate", () => {
  it("is open to a change that takes nothing away, without a review and without making one again", () => {
    const again = (): Review => {
      throw new Error("nothing has to be made again");
    };
    expect(judge({ review: review([]), again })).toEqual({ isOpen: true });
  });
  it("is closed to a breach without a review, and says what it is about", () => {
    expect(judge()).toEqual({
      isOpen: false,
      message:
        "makes something unrestorable (redis from 2026-11-26: no policy is left), and no review of it is in its commits",
    });
  });
  it("is open to the review of this plan, wherever it stands among others", () => {
    const other = line({ hash: hash("c") });
    expect(judge({ trailers: [other, "nonsense", line()] })).toEqual({ isOpen: true, hash: hash("a") });
  });
  it("is closed to the review of another plan", () => {
    expect(judge({ trailers: [line({ hash: hash("c") })] })).toMatchObject({
      isOpen: false,
      message: expect.stringContaining("its review cccccccccccc is of another plan"),
    });
  });
  it("makes the review again as the trailer says, and not as of now", () => {
    const asked: ReviewTrailer[] = [];
    judge({
      trailers: [line({ days: 90 })],
      again: (trailer) => {
        asked.push(trailer);
        return review([breach]);
      },
    });
    expect(asked).toEqual([
      { hash: hash("a"), asOf: instant(nowMs - 60_000), days: 90, pricePerGibMonth: 0.023 },
    ]);
  });
  it.each([
    ["old", nowMs - reviewHoldsMs - 1000],
    ["of tomorrow", nowMs + 86_400_000],
  ])("is closed to a review that is %s: it would not know the points of today", (_, asOfMs) => {
    expect(judge({ trailers: [line({ asOf: instant(asOfMs) })] })).toMatchObject({
      isOpen: false,
      message: expect.stringContaining("older than 30d or of a later time"),
    });
  });
  it("is not taken away by a commit without a review", () => {
    const removed = { review: review([]), isGateRemoved: true };
    expect(judge(removed)).toMatchObject({
      isOpen: false,
      message: expect.stringContaining("no more asks for reviews"),
    });
    expect(judge({ ...removed, trailers: [line()] })).toMatchObject({ isOpen: true });
  });
});
