/** The last common instant against a search that tries every minute, on components made at random. */
import { describe, expect, it } from "vitest";
import type { Catalogue } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { catalogueAt, goneSince } from "../../../src/recovery/as-of.ts";
import { planRestore } from "../../../src/recovery/chain.ts";
import {
  lastOfOneInstant,
  lastTogether,
  type Recoverable,
  recoverable,
  stateMsAt,
} from "../../../src/recovery/together.ts";
import { seed } from "../../seed.ts";
import { verdict } from "../report/fixtures.ts";
import { generator } from "../retention/cases.ts";
import { archive, basePoint, catalogueOf, minuteMs, run, startMs } from "./fixtures.ts";

const span = 60;
const at = (n: number): string => instant(startMs + n * minuteMs);

/** A component as the set of its minutes: what the search walks over, and nothing of how ranges are found. */
interface Minutes {
  readonly held: ReadonlySet<number>;
  readonly exact: boolean;
}

function randomMinutes(random: () => number): Minutes {
  const exact = random() < 0.5;
  const held = new Set<number>();
  let minute = Math.floor(random() * 20);
  while (minute < span) {
    const length = exact ? 1 + Math.floor(random() * 15) : 1;
    for (let n = 0; n < length && minute + n < span; n += 1) held.add(minute + n);
    minute += length + 1 + Math.floor(random() * 25);
  }
  return { held, exact };
}

function asComponent({ held, exact }: Minutes, index: number): Recoverable {
  const sorted = [...held].sort((a, b) => a - b);
  const ranges: { fromAt: string; toAt: string }[] = [];
  for (const minute of sorted) {
    const last = ranges.at(-1);
    if (exact && last !== undefined && last.toAt === at(minute - 1)) last.toAt = at(minute);
    else ranges.push({ fromAt: at(minute), toAt: at(minute) });
  }
  return { policy: `p${index}`, ranges, exact };
}

/** The newest held minute at or before another one, by going back step by step. */
function newest({ held }: Minutes, minute: number): number | undefined {
  for (let n = minute; n >= 0; n -= 1) if (held.has(n)) return n;
  return undefined;
}

describe("together", () => {
  it("is the instant a search minute by minute finds, with the spread it measures", () => {
    console.log(`together: HOLDFAST_SEED=${seed}`);
    const random = generator(seed);
    const met = { none: 0, spread: 0, same: 0, earlier: 0 };
    for (let n = 0; n < 20_000; n += 1) {
      const minutes = Array.from({ length: 1 + Math.floor(random() * 4) }, () => randomMinutes(random));
      const asked = Math.floor(random() * span);
      const where = `seed ${seed}, case ${n}, minute ${asked}`;
      let common: number | undefined;
      let same: number | undefined;
      for (let m = 0; m <= asked; m += 1) {
        const isCommon = minutes.every((c) => (c.exact ? c.held.has(m) : newest(c, m) !== undefined));
        if (isCommon) common = m;
        if (minutes.every((c) => c.held.has(m))) same = m;
      }
      const components = minutes.map(asComponent);
      const found = lastTogether(components, startMs + asked * minuteMs);
      expect(found?.at, where).toBe(common === undefined ? undefined : at(common));
      expect(lastOfOneInstant(components, startMs + asked * minuteMs), where).toBe(
        same === undefined ? undefined : at(same),
      );
      if (found === undefined || common === undefined) {
        met.none += 1;
        continue;
      }
      const states = minutes.map((c) => newest(c, common) ?? Number.NaN);
      expect(
        found.states.map((s) => s.stateAt),
        where,
      ).toEqual(states.map(at));
      const spread = Math.max(...states) - Math.min(...states);
      expect(found.spreadSeconds, where).toBe(spread * 60);
      if (common < asked) met.earlier += 1;
      if (spread > 0) met.spread += 1;
      else met.same += 1;
    }
    for (const [name, times] of Object.entries(met)) expect(times, name).toBeGreaterThan(300);
  });

  it("goes through for every component, and no later minute does, by the planner's own word", () => {
    const random = generator(seed);
    let earlier = 0;
    for (let n = 0; n < 300; n += 1) {
      const catalogues = Array.from({ length: 2 + Math.floor(random() * 2) }, (_, index) =>
        randomCatalogue(random, index),
      );
      const components = catalogues.map((c) => recoverable(c));
      const asked = Math.floor(random() * span);
      const found = lastTogether(components, startMs + asked * minuteMs);
      const where = `seed ${seed}, case ${n}, minute ${asked}`;
      if (found !== undefined)
        for (const c of catalogues) expect(goesTo(c, Date.parse(found.at)), where).toBe(true);
      const foundMs = found === undefined ? Number.NEGATIVE_INFINITY : Date.parse(found.at);
      // Every half minute behind it has to fail for somebody.
      for (let ms = startMs + asked * minuteMs; ms > Math.max(foundMs, startMs); ms -= minuteMs / 2) {
        earlier += 1;
        expect(
          catalogues.every((c) => goesTo(c, ms)),
          `${where}, ${instant(ms)}`,
        ).toBe(false);
      }
    }
    expect(earlier).toBeGreaterThan(300);
  });

  it("is nothing for nobody, and nothing where one has nothing so old", () => {
    expect(lastTogether([], startMs)).toBeUndefined();
    expect(lastOfOneInstant([], startMs)).toBeUndefined();
    const young: Recoverable = { policy: "a", ranges: [{ fromAt: at(9), toAt: at(9) }], exact: false };
    expect(lastTogether([young], startMs)).toBeUndefined();
    expect(stateMsAt(young, startMs)).toBeUndefined();
  });

  it("counts a bucket with versions as one range between its first and last point", () => {
    const points = [basePoint("00000001", 3, plain), basePoint("00000001", 9, plain)];
    const component = recoverable(catalogueOf(points), { hasVersions: true });
    expect(stateMsAt(component, startMs + 5 * minuteMs)).toBe(startMs + 5 * minuteMs);
    expect(stateMsAt(component, startMs + 50 * minuteMs)).toBe(startMs + 9 * minuteMs - 30_000);
  });
});

const plain = { log: undefined } as unknown as Parameters<typeof basePoint>[2];

function randomCatalogue(random: () => number, index: number): Catalogue {
  const places = [2, 14, 27, 41].filter((_, n) => n === 0 || random() < 0.7);
  if (index === 0 || random() < 0.4) {
    const holes = new Set(
      Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * span)),
    );
    const segments = run("00000001", 0, 20 + Math.floor(random() * 40)).filter((s) => !holes.has(s.sequence));
    return catalogueOf(
      places.map((p) => basePoint("00000001", p)),
      archive(segments),
    );
  }
  return catalogueOf(places.map((p) => basePoint("00000001", p + Math.floor(random() * 9), plain)));
}

function goesTo(catalogue: Catalogue, ms: number): boolean {
  try {
    planRestore({ catalogue, target: { kind: "time", at: instant(ms) } });
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return false;
  }
}

describe("a catalogue as it was", () => {
  it("has what was stored by then: points, verdicts, marks, log", () => {
    const early = { ...basePoint("00000001", 3), verdicts: [verdict(startMs + 5 * minuteMs, 4)] };
    const marked = {
      ...early,
      verdicts: [...early.verdicts, verdict(startMs + 30 * minuteMs, 1, { asked: 4 })],
      tombstone: { at: at(31) } as never,
      hold: { at: at(4) } as never,
    };
    const all = catalogueOf([marked, basePoint("00000001", 20)], archive(run("00000001", 0, 40)));
    const past = catalogueAt(all, startMs + 10 * minuteMs);
    expect(past.points.map((p) => p.manifest.id)).toEqual([early.manifest.id]);
    expect(past.points[0]?.verdicts).toEqual(early.verdicts);
    expect(past.points[0]?.tombstone).toBeUndefined();
    expect(past.points[0]?.hold).toBeDefined();
    expect(past.log?.segments.length).toBe(11);
    expect(catalogueAt(all, startMs + 60 * minuteMs).points).toEqual(all.points);
  });

  it("names what went since, as far as a manifest of then still speaks of it", () => {
    const first = basePoint("00000001", 3);
    const next = basePoint("00000001", 9, { previous: { id: "gone", sha256: "" } });
    const later = basePoint("00000001", 20, { previous: { id: "later", sha256: "" } });
    expect(goneSince(catalogueOf([first, next, later]), startMs + 10 * minuteMs)).toEqual(["gone"]);
    expect(goneSince(catalogueOf([first]), startMs + 10 * minuteMs)).toEqual([]);
  });
});
