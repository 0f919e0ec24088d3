/** The calendar of proof, the sawtooth and the barcode say what is there, in signs and words besides colours. */
import { describe, expect, it } from "vitest";
import { exposureTeeth } from "../../../src/health/error-budget.ts";
import { ageSvg, describeAge } from "../../../src/report/svg-age.ts";
import { calendarSvg, describeCalendar, proofDays } from "../../../src/report/svg-calendar.ts";
import { describeRetention, retentionPicture, retentionSvg } from "../../../src/report/svg-retention.ts";
import { catalogue, dayMs, entry, nowMs, point, policy, verdict } from "./fixtures.ts";
import { sampleInput } from "./report-sample.ts";

describe("the calendar of proof", () => {
  it("has one state a day: a failure stays unless what had been asked was reached later that day", () => {
    const at = (days: number, hour: number) => nowMs - days * dayMs - 5 * 3_600_000 + hour * 3_600_000;
    const verdicts = [
      verdict(at(0, 1), 5),
      verdict(at(1, 1), 1, { asked: 2 }),
      verdict(at(1, 2), 1),
      verdict(at(2, 1), 1, { asked: 2 }),
      verdict(at(2, 3), 5),
      verdict(at(3, 1), 3),
      verdict(at(200, 1), 5),
      verdict(nowMs + dayMs, 5),
    ];
    const days = proofDays({ policy: "p", verdicts: verdicts.toReversed(), nowMs });
    expect(days).toEqual([
      { day: "2026-11-19", state: "verified", level: 3, failures: 0 },
      { day: "2026-11-20", state: "proved", level: 5, failures: 1 },
      { day: "2026-11-21", state: "failed", level: 1, failures: 1 },
      { day: "2026-11-22", state: "proved", level: 5, failures: 0 },
    ]);
    expect(describeCalendar(days)).toBe(
      "In 26 weeks: 2 days proved by a restore, 1 verified to a lower level, 1 failed; nothing on the others. The newest proof is of 2026-11-22. Failed: 2026-11-21.",
    );
    const svg = calendarSvg({ policy: "p", verdicts, nowMs });
    // One cell for each of 26 weeks up to today, a Sunday, and four of the legend and the page.
    expect(svg.match(/<rect /g)).toHaveLength(26 * 7 + 3 + 1);
    expect(svg.match(/>✕</g)).toHaveLength(2);
    expect(svg.match(/>5</g)).toHaveLength(3);
    expect(svg).toContain(describeCalendar(days));
  });
});

describe("the sawtooth", () => {
  const hourMs = 3_600_000;
  const points = [0, 1, 2, 6, 7].map((h) => ({ consistentMs: h * hourMs, finishedMs: h * hourMs }));

  it("marks the time above the RPO and says it", () => {
    const teeth = exposureTeeth({ points, ranges: [], fromMs: 0, toMs: 8 * hourMs });
    const picture = { policy: "p", teeth, rpoSeconds: 5400 };
    expect(describeAge(picture)).toBe(
      "A disaster would have cost 4 h at most, more than the RPO of 1 h 30 min for 2 h 30 min of 8 h.",
    );
    const svg = ageSvg(picture);
    // The time itself and the one of the legend.
    expect(svg.match(/<rect class="bad"/g)).toHaveLength(2);
    expect(svg).toContain("RPO 1 h 30 min (dashed)");
    expect(ageSvg({ ...picture, rpoSeconds: 5 * hourMs }).match(/<rect class="bad"/g)).toHaveLength(1);
  });

  it("lies on the floor where any instant can be restored, and keeps the worst when it is thinned", () => {
    const ranges = [{ fromMs: 0, toMs: 8 * hourMs }];
    const flat = exposureTeeth({ points, ranges, fromMs: 0, toMs: 8 * hourMs });
    expect(describeAge({ policy: "p", teeth: flat, rpoSeconds: 300 })).toContain("cost 0 s at most, never");
    const many = Array.from({ length: 20_000 }, (_, i) => ({ consistentMs: i * 1000, finishedMs: i * 1000 }));
    const holed = many.filter((_, i) => i < 9000 || i > 9120);
    const teeth = exposureTeeth({ points: holed, ranges: [], fromMs: 0, toMs: 20_000_000 });
    const svg = ageSvg({ policy: "p", teeth, rpoSeconds: 60 });
    expect(svg.length).toBeLessThan(20_000);
    const heights = [...svg.matchAll(/L[\d.]+ ([\d.]+)/g)].map((m) => Number(m[1]));
    const top = Math.min(...heights);
    expect(heights.filter((y) => y === top)).toHaveLength(2);
    expect(ageSvg({ policy: "p", teeth: [], rpoSeconds: 60 })).toContain("no recovery point yet");
  });
});

describe("the retention barcode", () => {
  it("puts a point into each lane whose reason it has, and what went into its own", () => {
    const [database] = sampleInput().policies;
    if (database === undefined) throw new Error("there is no sample");
    const picture = retentionPicture(database, nowMs);
    expect(picture.lanes.map((l) => [l.name, l.atMs.length, l.className])).toEqual([
      // Seven good days, and one on which only a failed point is.
      ["daily", 8, "info"],
      ["weekly", 4, "info"],
      ["held", 1, "good"],
      ["no place", 16, "warn"],
      ["expiring", 1, "warn"],
      ["pruned", 1, "bad"],
    ]);
    expect(describeRetention(picture)).toBe(
      "Keep table: daily 7, weekly 4. 27 recovery points, by reason: daily 8, weekly 4, held 1, no place 16, expiring 1, pruned 1.",
    );
    expect(retentionSvg(picture)).toContain("pruned (1)");
  });

  it("has a lane for days, for ever, and for what is kept because another needs it", () => {
    const full = point(nowMs - 20 * dayMs);
    const increment = point(nowMs - dayMs, { capture: "incremental", parents: [full.manifest.id] });
    const of = (keep: Parameters<typeof policy>[0]) =>
      retentionPicture(entry({ policy: policy(keep), catalogue: catalogue([full, increment]) }), nowMs);
    expect(of({ retention: { name: "d", keep: { days: 7 } } }).lanes.map((l) => l.name)).toEqual([
      "days",
      "parent",
    ]);
    expect(of({ retention: { name: "f", keep: { forever: true } } }).lanes.map((l) => l.name)).toEqual([
      "forever",
    ]);
    const none = retentionPicture(entry({ catalogue: catalogue([]) }), nowMs);
    expect(retentionSvg(none)).toContain("no recovery point");
  });
});
