/** The recovery point as the newest canary measures it. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { judgeCanary } from "../../../src/operate/canary.ts";

const beganAtMs = Date.parse("2026-11-20T12:00:00Z");
const objectives = { rpoMs: 5000 };
const judged = (behindMs: number, isExact: boolean) =>
  judgeCanary(objectives, instant(beganAtMs - behindMs), beganAtMs, isExact);
const bad = ({ checks }: ReturnType<typeof judged>) => checks.filter((c) => !c.ok).map((c) => c.name);

describe("the newest canary", () => {
  it("measures what a disaster at the end would have cost, against the objective", () => {
    expect(judged(1500, false)).toMatchObject({ checks: [{ ok: true }], measured: { rpoSeconds: 1.5 } });
    expect(bad(judged(5000, false))).toEqual([]);
    expect(bad(judged(5001, false))).toEqual(["recovery point"]);
  });

  it("is of after the beginning where the log went on, and costs nothing then", () => {
    expect(judged(-1500, false)).toMatchObject({ checks: [{ ok: true }], measured: { rpoSeconds: 0 } });
  });

  it("must not be of after a target", () => {
    expect(bad(judged(0, true))).toEqual([]);
    expect(bad(judged(-1, true))).toEqual(["stopped at the target"]);
    expect(bad(judged(6000, true))).toEqual(["recovery point"]);
  });

  it("that is missing leaves the recovery point unknown", () => {
    const outcome = judgeCanary(objectives, undefined, beganAtMs, false);
    expect([bad(outcome), outcome.measured.rpoSeconds]).toEqual([["canary"], undefined]);
  });
});
