import { describe, expect, it } from "vitest";
import { compactInstant } from "../../../src/catalogue/instant.ts";
import { simulate } from "../../../src/retention/simulate.ts";
import { processorMs } from "../processor-time.ts";
import { dayMs, policy } from "../report/fixtures.ts";
import { daily, historyOf, startMs } from "./histories.ts";

const keep = { daily: 7, weekly: 4, monthly: 12, yearly: 1 };
const subject = policy({ retention: { name: "postgresql-full", keep } });

describe("four hundred days ahead", () => {
  const points = daily(20);
  const fromMs = startMs + 20 * dayMs - dayMs / 2;
  const simulation = simulate({ policy: subject, catalogue: historyOf(points), fromMs, days: 400 });

  it("has one entry a day, each with one new point", () => {
    expect(simulation.days).toHaveLength(400);
    expect(simulation.days[0]?.day).toBe("2026-09-21");
    for (const day of simulation.days) expect(day.added).toHaveLength(1);
    expect(simulation.days[0]?.added).toEqual([compactInstant(startMs + 20 * dayMs)]);
    expect(simulation.reachHeld).toBe(true);
  });

  it("shows on no day a point of a later one", () => {
    for (const { day, added, oldestAt } of simulation.days) {
      expect((oldestAt ?? "").slice(0, 10) <= day).toBe(true);
      for (const id of added) expect(id.slice(0, 8) <= day.replaceAll("-", "")).toBe(true);
    }
  });

  it("accounts for every point: what came is kept or lost, once", () => {
    const lost = simulation.days.flatMap((d) => d.lost.map((l) => l.id));
    expect(new Set(lost).size).toBe(lost.length);
    const last = simulation.days.at(-1);
    expect(lost.length + (last?.kept ?? 0)).toBe(20 + 400);
    expect(simulation.days.flatMap((d) => d.lost).every((l) => l.reason.length > 0)).toBe(true);
  });

  it("comes to the number of places the table has", () => {
    const last = simulation.days.at(-1);
    expect(last?.kept).toBeGreaterThanOrEqual(20);
    expect(last?.kept).toBeLessThanOrEqual(24);
    expect(last?.sizeBytes).toBe((last?.kept ?? 0) * 9 * 1024 ** 3);
  });

  it("loses first what the real catalogue has too much of", () => {
    const first = simulation.days[0]?.lost.map((l) => l.id) ?? [];
    expect(first.length).toBeGreaterThan(5);
    expect(first).toContain(points[1]?.manifest.id);
  });

  it("starts from nothing where there is no catalogue", () => {
    const empty = simulate({ policy: subject, fromMs, days: 3 });
    expect(empty.days.map((d) => d.kept)).toEqual([1, 2, 3]);
    expect(empty.days.every((d) => d.lost.length === 0)).toBe(true);
  });

  it("does 400 days of a year of hourly points in a moment", { timeout: 60_000 }, () => {
    const hourly = policy({
      schedule: { kind: "cron", cron: "0 * * * *", timeZone: "Europe/Berlin" },
      retention: { name: "x", keep: { hourly: 48, daily: 30, weekly: 10, monthly: 12 } },
    });
    const begunMs = processorMs();
    simulate({ policy: hourly, fromMs, days: 400 });
    expect(processorMs() - begunMs).toBeLessThan(10_000);
  });
});
