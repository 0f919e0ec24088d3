/** The error budget agrees with a look at every tenth of a second, and counts nothing twice. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allowedShare,
  type ExposureInput,
  endSeconds,
  errorBudget,
  exposureTeeth,
} from "../../../src/health/error-budget.ts";
import { seed } from "../../seed.ts";

console.log(`HOLDFAST_SEED=${seed}`);

/** What a disaster at `ms` costs, found by looking at everything; undefined before the first capture has ended. */
function costAt(input: ExposureInput, ms: number): number | undefined {
  const there = input.points.filter((p) => p.finishedMs <= ms);
  if (there.length === 0) return undefined;
  const restorable = there.map((p) => p.consistentMs);
  for (const range of input.ranges) {
    const base = input.points
      .filter((p) => p.consistentMs === range.fromMs)
      .reduce((least, p) => Math.min(least, p.finishedMs), Number.POSITIVE_INFINITY);
    const fromMs = Number.isFinite(base) ? Math.max(base, range.fromMs) : range.fromMs;
    if (ms >= fromMs && range.toMs > fromMs) restorable.push(Math.min(ms, range.toMs));
  }
  return Math.max(0, ms - Math.max(...restorable));
}

const unitMs = 100;
const units = fc.integer({ min: 0, max: 400 });
const scenes = fc.record({
  points: fc.array(fc.tuple(units, fc.integer({ min: 0, max: 60 })), { maxLength: 8 }),
  ranges: fc.array(fc.tuple(units, fc.integer({ min: 0, max: 120 })), { maxLength: 3 }),
  /** Half of the ranges begin with the state of a point, as real ones do. */
  based: fc.boolean(),
  fromUnits: units,
  rpoUnits: fc.integer({ min: 1, max: 150 }),
});

describe("the error budget", () => {
  it("agrees with a look at every tenth of a second", () => {
    let judged = 0;
    const check = (scene: typeof scenes extends fc.Arbitrary<infer T> ? T : never): void => {
      const points = scene.points.map(([at, takes]) => ({
        consistentMs: at * unitMs,
        finishedMs: (at + takes) * unitMs,
      }));
      const ranges = scene.ranges.map(([at, long], index) => {
        const fromMs = scene.based ? (points[index]?.consistentMs ?? at * unitMs) : at * unitMs;
        return { fromMs, toMs: fromMs + long * unitMs };
      });
      const input = { points, ranges, fromMs: scene.fromUnits * unitMs, toMs: 600 * unitMs };
      const rpoSeconds = (scene.rpoUnits * unitMs) / 1000;
      const teeth = exposureTeeth(input);
      const budget = errorBudget(teeth, rpoSeconds);
      let missed = 0;
      let seen = 0;
      let worst = 0;
      // Half a unit off every boundary, so that the step counted is the step that is there.
      for (let ms = input.fromMs + unitMs / 2; ms < input.toMs; ms += unitMs) {
        const cost = costAt(input, ms);
        if (cost === undefined) continue;
        seen += 1;
        worst = Math.max(worst, cost + unitMs / 2);
        if (cost > rpoSeconds * 1000) missed += 1;
      }
      expect(Math.round((budget?.judgedSeconds ?? 0) * 10)).toBe(seen);
      expect(Math.round((budget?.missedSeconds ?? 0) * 10)).toBe(missed);
      if (budget !== undefined) {
        judged += 1;
        expect(Math.abs(budget.worstSeconds * 1000 - worst)).toBeLessThanOrEqual(unitMs / 2 + 1e-6);
      }
      for (const [index, tooth] of teeth.entries())
        expect(tooth.fromMs).toBe(teeth[index - 1]?.toMs ?? tooth.fromMs);
    };
    fc.assert(fc.property(scenes, check), { seed, numRuns: 3000 });
    expect(judged).toBeGreaterThan(1000);
  });

  it("has a figure for a hole of seven hours in hourly points", () => {
    const hourMs = 3_600_000;
    const hours = Array.from({ length: 168 }, (_, i) => i).filter((i) => i < 100 || i > 106);
    const points = hours.map((h) => ({ consistentMs: h * hourMs, finishedMs: h * hourMs }));
    const teeth = exposureTeeth({ points, ranges: [], fromMs: 0, toMs: 168 * hourMs });
    expect(errorBudget(teeth, 75 * 60)).toEqual({
      judgedFromAt: "1970-01-01T00:00:00.000Z",
      judgedToAt: "1970-01-08T00:00:00.000Z",
      judgedSeconds: 168 * 3600,
      missedSeconds: 8 * 3600 - 75 * 60,
      allowedSeconds: 168 * 3600 * allowedShare,
      worstSeconds: 8 * 3600,
      metPercent: 95.98,
    });
    expect(Math.max(...teeth.map(endSeconds))).toBe(8 * 3600);
  });

  it("judges nothing where no point ever was", () => {
    expect(errorBudget(exposureTeeth({ points: [], ranges: [], fromMs: 0, toMs: 1000 }), 1)).toBeUndefined();
  });
});
