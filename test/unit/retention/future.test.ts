/**
 * The time machine against a day-by-day walk that knows nothing of it: every evening each place of each line is
 * looked for anew among what is left, and what has none is dropped.
 */
import { describe, expect, it } from "vitest";
import { compactInstant } from "../../../src/catalogue/instant.ts";
import type { KeepTable, Policy } from "../../../src/policy/model.ts";
import { type Future, type FuturePoint, foresee, stockOf } from "../../../src/retention/future.ts";
import { nextAfter, parseCron } from "../../../src/time/cron.ts";
import { seed } from "../../seed.ts";
import { processorMs } from "../processor-time.ts";
import { catalogue, dayMs, policy } from "../report/fixtures.ts";
import { generator, makeKeep, zones } from "./cases.ts";
import { daily, failureOf, holdOn, proofOf, startMs } from "./histories.ts";
import { wallText } from "./oracle.ts";

console.log(`future.test.ts: HOLDFAST_SEED=${seed}`);

interface Day {
  readonly ids: readonly string[];
  readonly bytes: number;
  readonly oldestAgeMs: number;
}

const walls = new Map<string, string>();

function wall(timeZone: string, atMs: number): string {
  const key = `${timeZone} ${atMs}`;
  let text = walls.get(key);
  if (text === undefined) {
    text = wallText(timeZone, atMs);
    walls.set(key, text);
  }
  return text;
}

function label(line: string, timeZone: string, point: FuturePoint): string {
  const text = wall(timeZone, point.atMs);
  if (line === "last") return point.id;
  if (line === "hourly") return text.slice(0, 13);
  if (line === "daily") return text.slice(0, 10);
  if (line === "monthly") return text.slice(0, 7);
  if (line === "yearly") return text.slice(0, 4);
  const noon = Date.parse(`${text.slice(0, 10)}T12:00:00Z`);
  return String(noon - ((new Date(noon).getUTCDay() + 6) % 7) * dayMs);
}

/** Ids that stay this evening. */
function stays(points: readonly FuturePoint[], keep: KeepTable, timeZone: string, nowMs: number) {
  const kept = new Set<string>();
  if (keep.forever) for (const p of points) kept.add(p.id);
  const newestFirst = [...points].sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  if (keep.days !== undefined) {
    for (const p of points) if (p.atMs >= nowMs - keep.days * dayMs) kept.add(p.id);
  }
  for (const line of ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const) {
    const count = keep[line];
    if (count === undefined) continue;
    const places = Map.groupBy(newestFirst, (p) => label(line, timeZone, p));
    let good = 0;
    let failed = 0;
    for (const place of places.values()) {
      if (good === count) break;
      const winner = place.find((p) => p.good);
      if (winner !== undefined) {
        good += 1;
        kept.add(winner.id);
      } else if (failed < count) {
        failed += 1;
        kept.add((place[0] as FuturePoint).id);
      }
    }
  }
  for (const p of points) {
    const heldMs = p.heldUntilMs === null ? Number.POSITIVE_INFINITY : (p.heldUntilMs ?? 0);
    if (Math.max(heldMs, p.lockedUntilMs ?? 0) > nowMs) kept.add(p.id);
  }
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const p of points) if (kept.has(p.id)) for (const parent of p.parents) kept.add(parent);
  }
  return points.filter((p) => kept.has(p.id));
}

function walk(points: readonly FuturePoint[], of: Policy, fromMs: number, days: number) {
  const timeZone = of.schedule.kind === "cron" ? of.schedule.timeZone : "Etc/UTC";
  const gone = new Map<string, number>();
  const evenings: Day[] = [];
  let held = points;
  const newest = points.reduce<FuturePoint | undefined>(
    (a, b) => (a === undefined || b.atMs > a.atMs || (b.atMs === a.atMs && b.id > a.id) ? b : a),
    undefined,
  );
  for (let day = 0; day < days; day += 1) {
    const endMs = fromMs + (day + 1) * dayMs;
    for (const atMs of firingsOf(of, endMs - dayMs, endMs)) {
      if (newest !== undefined && atMs <= newest.atMs) continue;
      const sizeBytes = newest?.sizeBytes ?? 0;
      const id = compactInstant(atMs);
      held = [...held, { id, atMs, good: true, proven: false, parents: [], sizeBytes, full: true }];
    }
    const left = stays(held, of.retention.keep, timeZone, endMs);
    for (const p of held) if (!left.includes(p)) gone.set(p.id, day);
    held = left;
    const good = held.filter((p) => p.good).map((p) => p.atMs);
    evenings.push({
      ids: held.map((p) => p.id),
      bytes: held.reduce((sum, p) => sum + p.sizeBytes, 0),
      oldestAgeMs: good.length === 0 ? 0 : endMs - Math.min(...good),
    });
  }
  return { gone, evenings };
}

const known = new Map<string, readonly number[]>();

function firingsOf({ schedule }: Policy, fromMs: number, endMs: number): readonly number[] {
  if (schedule.kind !== "cron") return [fromMs];
  const key = `${schedule.cron} ${schedule.timeZone} ${fromMs}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const cron = parseCron(schedule.cron);
  if ("error" in cron) throw new Error(cron.error);
  const found: number[] = [];
  let at = nextAfter(cron, schedule.timeZone, fromMs - 1);
  while (at !== undefined && at < endMs) {
    found.push(at);
    at = nextAfter(cron, schedule.timeZone, at);
  }
  known.set(key, found);
  return found;
}

const crons = ["0 2 * * *", "0 */8 * * *", "30 1 * * 0", "15 23 * * 1-5", "0 12 1 * *"];
/** Few starts and zones, so that the slow calendar of the oracle is asked once for each instant. */
const starts = ["2026-10-20T00:00:00Z", "2026-12-24T13:30:00Z", "2028-02-25T05:00:00Z"].map((t) =>
  Date.parse(t),
);

function randomStock(random: () => number, fromMs: number): readonly FuturePoint[] {
  const below = (limit: number) => Math.floor(random() * limit);
  const points: FuturePoint[] = [];
  const stepMs = [3_600_000, 6 * 3_600_000, dayMs, 7 * dayMs][below(4)] as number;
  const failing = [0, 0, 0.3, 0.7][below(4)] as number;
  let atMs = fromMs - 3_600_000 * below(3);
  for (let n = below(12); n > 0; n -= 1) {
    if (random() > 0.1) atMs -= stepMs * (1 + below(2));
    const held = random();
    points.push({
      id: `p${below(1e6)}-${n}`,
      atMs,
      good: random() >= failing,
      proven: random() < 0.3,
      parents: [],
      sizeBytes: 1000,
      full: true,
      ...(held < 0.05
        ? { heldUntilMs: null }
        : held < 0.12
          ? { heldUntilMs: fromMs + below(14 * dayMs) }
          : {}),
      ...(random() < 0.07 ? { lockedUntilMs: fromMs + below(10 * dayMs) } : {}),
    });
  }
  return points.map((p, i) => {
    const older = points.slice(i + 1);
    return random() < 0.15 && older.length > 0
      ? { ...p, parents: [(older[below(older.length)] as FuturePoint).id] }
      : p;
  });
}

function compare(
  seen: Future,
  points: readonly FuturePoint[],
  of: Policy,
  fromMs: number,
  days: number,
): void {
  const expected = walk(points, of, fromMs, days);
  const departed = new Map(seen.departures.map((d) => [d.id, d.day]));
  expect(departed).toEqual(expected.gone);
  expect([...seen.count]).toEqual(expected.evenings.map((e) => e.ids.length));
  expect([...seen.sizeBytes]).toEqual(expected.evenings.map((e) => e.bytes));
  expect([...seen.reachMs]).toEqual(expected.evenings.map((e) => e.oldestAgeMs));
}

describe("the time machine", () => {
  it("agrees with a day-by-day walk for 10,000 random changes of policy", { timeout: 120_000 }, () => {
    const random = generator(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    for (let n = 0; n < 10_000; n += 1) {
      const fromMs = pick(starts);
      const timeZone = zones[n % 6] as string;
      const points = randomStock(random, fromMs);
      const days = 6 + Math.floor(random() * 12);
      const before = policy({
        retention: { name: "before", keep: makeKeep(random) },
        schedule: { kind: "cron", cron: pick(crons), timeZone },
      });
      const after = {
        ...before,
        retention: { name: "after", keep: makeKeep(random) },
        schedule: { kind: "cron" as const, cron: pick(crons), timeZone },
      };
      for (const of of [before, after]) {
        try {
          compare(foresee({ policy: of, points, fromMs, days }), points, of, fromMs, days);
        } catch (error) {
          throw new Error(
            `HOLDFAST_SEED=${seed}, change ${n}: ${JSON.stringify({ keep: of.retention.keep, schedule: of.schedule, days, from: new Date(fromMs), points })}`,
            { cause: error },
          );
        }
      }
    }
  });

  it("follows 100,000 points over 400 days in under five seconds", () => {
    const fromMs = Date.parse("2026-11-22T00:00:00Z");
    const points = Array.from({ length: 100_000 }, (_, n): FuturePoint => {
      const atMs = fromMs - (n + 1) * 600_000;
      return { id: `p${n}`, atMs, good: n % 97 !== 0, proven: false, parents: [], sizeBytes: 1, full: true };
    });
    const begunMs = processorMs();
    for (const keep of [
      { days: 400, monthly: 12 },
      { hourly: 10_000, daily: 400, weekly: 60 },
    ]) {
      const future = foresee({
        policy: policy({ retention: { name: "r", keep } }),
        points,
        fromMs,
        days: 400,
      });
      expect(future.count[0]).toBeGreaterThan(1000);
    }
    expect(processorMs() - begunMs).toBeLessThan(5000);
  });

  it("says on which day each stored point goes, and keeps a held one", () => {
    const points = daily(10).map((p, n) => (n === 2 ? holdOn(p, null) : p));
    const fromMs = startMs + 10 * dayMs - 7_200_000;
    const seen = foresee({ policy: policy(), ...stockOf(catalogue(points)), fromMs, days: 5 });
    const stored = seen.departures.filter((d) => d.stored);
    expect(stored.filter((d) => d.day === 0).map((d) => d.id.slice(0, 8))).toEqual([
      "20260901",
      "20260902",
      "20260904",
    ]);
    expect(stored.some((d) => d.id.startsWith("20260903"))).toBe(false);
    expect([...seen.count]).toEqual([8, 8, 8, 8, 8]);
  });

  it("counts a failed point for nothing and carries what was proved", () => {
    const [first, second] = daily(2);
    const stock = stockOf(catalogue([proofOf(first as never), failureOf(second as never)]));
    expect(stock.points.map((p) => [p.good, p.proven])).toEqual([
      [true, true],
      [false, false],
    ]);
  });

  it("chains incremental captures to their full one", () => {
    const incremental = policy({
      schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" },
      capture: { method: "base-backup", codec: "gzip", level: 6, fullCron: "0 2 * * 0", options: {} },
      retention: { name: "three", keep: { daily: 3 } },
    });
    const fromMs = Date.parse("2026-11-22T00:00:00Z");
    const seen = foresee({ policy: incremental, points: [], fromMs, days: 14 });
    // A Sunday; on Saturday the chain from it is seven long although three days are asked for.
    expect([...seen.count]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 4, 5, 6, 7]);
  });

  it("gives a failed point the place that a later week leaves when it gets a good one", () => {
    const fromMs = Date.parse("2026-11-23T00:00:00Z");
    const failedOn = (day: string): FuturePoint => {
      const [atMs, id] = [Date.parse(`${day}T12:00:00Z`), `f${day}`];
      return { id, atMs, good: false, proven: false, parents: [], sizeBytes: 1, full: true };
    };
    const points = ["2026-11-15", "2026-11-22", "2026-11-23"].map(failedOn);
    const of = policy({
      retention: { name: "r", keep: { weekly: 2, days: 11 } },
      schedule: { kind: "cron", cron: "0 2 * * 3", timeZone: "Etc/UTC" },
    });
    const seen = foresee({ policy: of, points, fromMs, days: 20 });
    compare(seen, points, of, fromMs, 20);
    expect(seen.departures.find((d) => d.id === "f2026-11-15")?.day).toBe(9);
  });

  it("gives such a place to a failed point that only a hold has kept until then", () => {
    const fromMs = Date.parse("2026-11-23T00:00:00Z");
    const failedOn = (day: string, more: Partial<FuturePoint> = {}): FuturePoint => {
      const [atMs, id] = [Date.parse(`${day}T12:00:00Z`), `f${day}`];
      return { id, atMs, good: false, proven: false, parents: [], sizeBytes: 1, full: true, ...more };
    };
    const heldUntilMs = fromMs + 3.5 * dayMs;
    const points = [
      failedOn("2026-11-08", { heldUntilMs }),
      ...["2026-11-15", "2026-11-22", "2026-11-23"].map((day) => failedOn(day)),
    ];
    const of = policy({
      retention: { name: "r", keep: { weekly: 2 } },
      schedule: { kind: "cron", cron: "0 2 * * 3", timeZone: "Etc/UTC" },
    });
    const seen = foresee({ policy: of, points, fromMs, days: 20 });
    compare(seen, points, of, fromMs, 20);
    expect(seen.departures.find((d) => d.id === "f2026-11-08")?.day).toBe(9);
  });

  it("moves the window with the log, which once removed does not come back", () => {
    const log = {
      mode: "stream",
      store: { name: "primary", prefix: "wal/" },
      retention: { name: "log", keep: { days: 7 } },
      pushEveryMs: 60_000,
      slot: "",
    } as const;
    const of = policy({ log, retention: { name: "r", keep: { days: 40 } } });
    const fromMs = startMs + 30 * dayMs;
    const stock = { ...stockOf(catalogue(daily(30))), logFromMs: fromMs - 10 * dayMs };
    const seen = foresee({ policy: of, ...stock, fromMs, days: 20 });
    for (const ms of seen.windowMs) expect(Math.floor(ms / dayMs)).toBe(7);
    const longer = policy({
      log: { ...log, retention: { name: "log", keep: { days: 20 } } },
      retention: of.retention,
    });
    const grown = foresee({ policy: longer, ...stock, fromMs, days: 20 });
    expect(Math.floor((grown.windowMs[0] ?? 0) / dayMs)).toBe(10);
    expect(Math.floor((grown.windowMs[19] ?? 0) / dayMs)).toBe(20);
  });
});
