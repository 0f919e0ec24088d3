import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeepTable } from "../../../src/policy/model.ts";
import { bucketOf, isoWeek, wallOf } from "../../../src/retention/calendar.ts";
import { decide, type RetentionPoint } from "../../../src/retention/decide.ts";
import { seed } from "../../seed.ts";
import { processorMs } from "../processor-time.ts";
import { type Case, generator, makeCase } from "./cases.ts";
import { oracleKeeps } from "./oracle.ts";

const dayMs = 86_400_000;

function keptBy(given: Case): ReadonlySet<string> {
  return new Set(
    decide(given)
      .filter((d) => d.keep)
      .map((d) => d.id),
  );
}

function point(at: string, change: Partial<RetentionPoint> = {}): RetentionPoint {
  return { id: at, atMs: Date.parse(at), good: true, parents: [], ...change };
}

function keptIds(
  points: readonly RetentionPoint[],
  keep: KeepTable,
  timeZone = "Etc/UTC",
): readonly string[] {
  const nowMs = Math.max(0, ...points.map((p) => p.atMs));
  return decide({ points, keep, timeZone, nowMs })
    .filter((d) => d.keep)
    .map((d) => d.id)
    .sort();
}

describe("a keep table against an independent oracle", () => {
  it("agrees in 100,000 generated histories", { timeout: 120_000 }, () => {
    console.log(`retention oracle: HOLDFAST_SEED=${seed}`);
    const random = generator(seed);
    let kept = 0;
    let expired = 0;
    for (let number = 0; number < 100_000; number += 1) {
      const given = makeCase(random);
      const decisions = decide(given);
      const wanted = oracleKeeps(given.points, given.keep, given.timeZone, given.nowMs);
      for (const [index, decision] of decisions.entries()) {
        const isSame =
          decision.id === given.points[index]?.id &&
          decision.keep === wanted.has(decision.id) &&
          decision.reasons.length > 0 &&
          decision.reasons.every((r) => r.length > 0);
        if (!isSame) {
          expect({ seed, number, given, decision }, "differs from the oracle").toEqual(
            wanted.has(decision.id),
          );
        }
        if (decision.keep) kept += 1;
        else expired += 1;
      }
    }
    // Both answers must be frequent, or the comparison says little.
    expect(kept).toBeGreaterThan(200_000);
    expect(expired).toBeGreaterThan(200_000);
  });
});

describe("properties", () => {
  const cases = fc.integer({ min: 0, max: 2 ** 31 }).map((n) => makeCase(generator(n)));
  const check = (property: fc.IProperty<[Case]>) => fc.assert(property, { seed, numRuns: 2000 });

  it("the order given does not matter", () => {
    check(
      fc.property(cases, (given) => {
        const turned = { ...given, points: [...given.points].reverse() };
        const sorted = { ...given, points: [...given.points].sort((a, b) => (a.id < b.id ? -1 : 1)) };
        expect(keptBy(turned)).toEqual(keptBy(given));
        expect(keptBy(sorted)).toEqual(keptBy(given));
      }),
    );
  });

  it("deciding again on what was kept lets nothing more go", () => {
    check(
      fc.property(cases, (given) => {
        const kept = keptBy(given);
        const left = given.points.filter((p) => kept.has(p.id));
        expect(keptBy({ ...given, points: left })).toEqual(kept);
      }),
    );
  });

  it("a larger count never keeps less", () => {
    check(
      fc.property(cases, (given) => {
        const kept = keptBy(given);
        for (const [line, count] of Object.entries(given.keep)) {
          if (typeof count !== "number") continue;
          const more = keptBy({ ...given, keep: { ...given.keep, [line]: count + 1 } });
          for (const id of kept) expect(more.has(id)).toBe(true);
        }
      }),
    );
  });

  it("nothing kept misses a parent that is there", () => {
    check(
      fc.property(cases, (given) => {
        const kept = keptBy(given);
        const known = new Set(given.points.map((p) => p.id));
        for (const p of given.points) {
          if (!kept.has(p.id)) continue;
          for (const parent of p.parents) expect(kept.has(parent) || !known.has(parent)).toBe(true);
        }
      }),
    );
  });

  it("a table that counts places never lets every point go", () => {
    check(
      fc.property(cases, (given) => {
        const { days, ...counted } = given.keep;
        fc.pre(Object.keys(counted).length > 0 && given.points.length > 0);
        expect(keptBy(given).size, `days ${days}`).toBeGreaterThan(0);
      }),
    );
  });

  it("the newest good point is kept wherever any place is counted", () => {
    check(
      fc.property(cases, (given) => {
        const { days: _, ...counted } = given.keep;
        const newest = given.points
          .filter((p) => p.good)
          .sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1))[0];
        fc.pre(newest !== undefined && Object.keys(counted).length > 0);
        expect(keptBy(given).has(newest?.id ?? "")).toBe(true);
      }),
    );
  });
});

describe("calendars", () => {
  it.each([
    ["2020-12-31", "2020-W53"],
    ["2021-01-03", "2020-W53"],
    ["2021-01-04", "2021-W01"],
    ["2016-01-03", "2015-W53"],
    ["2018-12-31", "2019-W01"],
    ["2024-12-30", "2025-W01"],
    ["2026-12-31", "2026-W53"],
    ["2027-01-03", "2026-W53"],
    ["2027-01-04", "2027-W01"],
    ["2008-12-28", "2008-W52"],
    ["1970-01-01", "1970-W01"],
  ])("%s lies in %s", (date, week) => {
    expect(isoWeek(Date.parse(`${date}T12:00:00Z`))).toBe(week);
  });

  it("a week that spans two years is one place", () => {
    const points = ["2020-12-28", "2020-12-31", "2021-01-01", "2021-01-03", "2021-01-04"].map((d) =>
      point(`${d}T02:00:00Z`),
    );
    expect(keptIds(points, { weekly: 2 })).toEqual(["2021-01-03T02:00:00Z", "2021-01-04T02:00:00Z"]);
  });

  it("29 February is a day of its own and belongs to February", () => {
    const points = ["2024-02-28", "2024-02-29", "2024-03-01"].map((d) => point(`${d}T02:00:00Z`));
    expect(keptIds(points, { monthly: 2 })).toEqual(["2024-02-29T02:00:00Z", "2024-03-01T02:00:00Z"]);
    expect(keptIds(points, { daily: 3 })).toHaveLength(3);
  });

  it("the hour that comes twice is one place, the one that is skipped is none", () => {
    // Berlin, 25 October 2026: 02:00 to 03:00 happens twice, as 00:00Z and as 01:00Z.
    const twice = [
      "2026-10-24T23:30:00Z",
      "2026-10-25T00:30:00Z",
      "2026-10-25T01:30:00Z",
      "2026-10-25T02:30:00Z",
    ];
    expect(
      keptIds(
        twice.map((at) => point(at)),
        { hourly: 3 },
        "Europe/Berlin",
      ),
    ).toEqual(["2026-10-24T23:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]);
    const spring = ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"].map((at) => Date.parse(at));
    const buckets = spring.map((at) => bucketOf("hourly", wallOf("Europe/Berlin", at)));
    expect((buckets[1] as number) - (buckets[0] as number)).toBe(2);
  });

  it("the same points lie in different days in different zones", () => {
    const points = [point("2026-11-21T14:30:00Z"), point("2026-11-21T15:30:00Z")];
    expect(keptIds(points, { daily: 2 }, "Etc/UTC")).toHaveLength(1);
    expect(keptIds(points, { daily: 2 }, "Asia/Tokyo")).toHaveLength(2);
  });

  it("a day that never was, 30 December 2011 in Apia, is no place", () => {
    const points = ["2011-12-30T05:00:00Z", "2011-12-31T05:00:00Z"].map((at) => point(at));
    const days = points.map((p) => bucketOf("daily", wallOf("Pacific/Apia", p.atMs)));
    expect((days[1] as number) - (days[0] as number)).toBe(2);
  });
});

describe("days", () => {
  it("count from now, the last instant included", () => {
    const points = ["2026-11-12T02:00:00.000Z", "2026-11-12T01:59:59.999Z"].map((at) => point(at));
    const nowMs = Date.parse("2026-11-22T02:00:00Z");
    const decisions = decide({ points, keep: { days: 10 }, timeZone: "Asia/Tokyo", nowMs });
    expect(decisions.map((d) => d.keep)).toEqual([true, false]);
    expect(decisions[0]?.reasons).toEqual(["younger than 10 days"]);
  });
});

describe("reasons", () => {
  it("names every place a point fills", () => {
    const decisions = decide({
      points: [point("2026-11-22T02:00:00Z"), point("2026-11-21T02:00:00Z"), point("2026-11-20T02:00:00Z")],
      keep: { last: 1, daily: 2, weekly: 1, monthly: 1, yearly: 1 },
      timeZone: "Etc/UTC",
      nowMs: Date.parse("2026-11-22T03:00:00Z"),
    });
    expect(decisions[0]?.reasons).toEqual([
      "last 1",
      "daily 2026-11-22",
      "weekly 2026-W47",
      "monthly 2026-11",
      "yearly 2026",
    ]);
    expect(decisions[1]).toEqual({ id: "2026-11-21T02:00:00Z", keep: true, reasons: ["daily 2026-11-21"] });
    expect(decisions[2]?.keep).toBe(false);
    expect(decisions[2]?.reasons.join()).toContain("no place in last 1, daily 2");
  });

  it("a failed point loses its place to an older good one of the same day", () => {
    const points = [point("2026-11-22T02:00:00Z"), point("2026-11-22T14:00:00Z", { good: false })];
    expect(keptIds(points, { daily: 1 })).toEqual(["2026-11-22T02:00:00Z"]);
  });

  it("ninety days of failures do not push the last good points out", () => {
    const bad = Array.from({ length: 90 }, (_, n) =>
      point(new Date(Date.parse("2026-08-01T02:00:00Z") + n * dayMs).toISOString(), { good: false }),
    );
    const good = ["2026-07-30T02:00:00Z", "2026-07-31T02:00:00Z"].map((at) => point(at));
    const kept = keptIds([...bad, ...good], { daily: 2 });
    expect(kept).toContain("2026-07-30T02:00:00Z");
    expect(kept).toContain("2026-07-31T02:00:00Z");
  });

  it("a chain stays with the child that needs it, and says so", () => {
    const full = point("2026-11-01T02:00:00Z");
    const middle = point("2026-11-02T02:00:00Z", { parents: [full.id] });
    const child = point("2026-11-03T02:00:00Z", { parents: [middle.id] });
    const decisions = decide({
      points: [full, middle, child],
      keep: { last: 1 },
      timeZone: "Etc/UTC",
      nowMs: child.atMs,
    });
    expect(decisions.map((d) => d.keep)).toEqual([true, true, true]);
    expect(decisions[0]?.reasons).toEqual([`needed by ${middle.id}`]);
  });

  it("survives points that name each other or themselves as parents", () => {
    const a = point("2026-11-01T02:00:00Z", { parents: ["2026-11-02T02:00:00Z"] });
    const b = point("2026-11-02T02:00:00Z", { parents: ["2026-11-01T02:00:00Z", "2026-11-02T02:00:00Z"] });
    expect(keptIds([a, b], { last: 1 })).toHaveLength(2);
  });
});

describe("size", () => {
  it("decides a million points in seconds", { timeout: 60_000 }, () => {
    const random = generator(seed);
    const startMs = Date.parse("2007-01-01T00:00:00Z");
    const points: RetentionPoint[] = Array.from({ length: 1_000_000 }, (_, n) => ({
      id: `p${n}`,
      atMs: startMs + n * 600_000,
      good: random() > 0.01,
      parents: n % 8 === 0 ? [] : [`p${n - 1}`],
    }));
    const keep = { last: 100, hourly: 48, daily: 365, weekly: 520, monthly: 240, yearly: 20, days: 400 };
    const begunMs = processorMs();
    const decisions = decide({
      points,
      keep,
      timeZone: "Europe/Berlin",
      nowMs: startMs + 1_000_000 * 600_000,
    });
    const tookMs = Math.round(processorMs() - begunMs);
    console.log(
      `1,000,000 points decided in ${tookMs} ms of processor, ${decisions.filter((d) => d.keep).length} kept`,
    );
    expect(decisions).toHaveLength(1_000_000);
    expect(tookMs).toBeLessThan(20_000);
  });
});
