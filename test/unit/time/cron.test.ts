/**
 * Our cron arithmetic against tables and against croner. Where the two differ on purpose: croner moves a
 * skipped time by the length of the gap (02:30 fires at 03:30) and we fire at the end of the gap (03:00);
 * croner repeats wildcard hours that come twice and we do not. The oracle is therefore asked only about
 * spans without a clock change; the days of changes have tables of their own.
 */
import { Cron as Croner } from "croner";
import { describe, expect, it } from "vitest";
import {
  type Cron,
  clockChanges,
  isTimeZone,
  lastAtOrBefore,
  nextAfter,
  occurrences,
  parseCron,
  widestGapMs,
} from "../../../src/time/cron.ts";
import { seed } from "../../seed.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function cronOf(text: string): Cron {
  const cron = parseCron(text);
  if ("error" in cron) throw new Error(`${text}: ${cron.error}`);
  return cron;
}
const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
const list = (text: string, zone: string, from: string, to: string) =>
  occurrences(cronOf(text), zone, Date.parse(from), Date.parse(to), 100).map((ms) => iso(ms)?.slice(0, 16));

describe("parseCron", () => {
  it.each([
    ["0 2 * *", "4 fields where cron has 5", 7],
    ["0 0 2 * * *", "6 fields where cron has 5; there is no field for seconds", 10],
    ["61 2 * * *", "61 is out of range for the minute (0 to 59)", 0],
    ["0 24 * * *", "24 is out of range for the hour (0 to 23)", 2],
    ["0 2 0 * *", "0 is out of range for the day of month (1 to 31)", 4],
    ["0 2 * 13 *", "13 is out of range for the month (1 to 12)", 6],
    ["0 2 * * 8", "8 is out of range for the day of week (0 to 7)", 8],
    ["0 2 * * mon,tues", "'tues' is no value for the day of week", 12],
    ["0 22-4 * * *", "the range '22-4' runs backwards", 2],
    ["*/0 * * * *", "a step of 0 for the minute, 1 to 59 make sense", 2],
    ["0 2 L * *", "'L' is no value for the day of month", 4],
    ["0 2 * * 1#2", "'1#2' is no value for the day of week", 8],
    ["@reboot", "'@reboot' is no nickname", 0],
    ["1,,2 * * * *", "'' is no value for the minute", 2],
  ])("refuses %j", (text, error, offset) => {
    const result = parseCron(text);
    expect(result).toMatchObject({ error: expect.stringContaining(error), offset });
  });

  it("knows nicknames, names, Sunday twice and steps from a value", () => {
    expect(cronOf("@daily")).toMatchObject({ minutes: [0], hours: [0], eitherDay: false });
    expect(cronOf("0 0 * * SUN").daysOfWeek).toBe(cronOf("0 0 * * 7").daysOfWeek);
    expect(cronOf("0 0 * * fri-sun").daysOfWeek).toBe(0b1100001);
    expect(cronOf("5/20 0 * jan,Mar *")).toMatchObject({ minutes: [5, 25, 45], months: 0b1010 });
    expect(cronOf("0 0 13 * fri").eitherDay).toBe(true);
  });
});

describe("firing", () => {
  it("takes either day when both are restricted", () => {
    expect(list("0 0 13 * 5", "Etc/UTC", "2026-03-01T00:00Z", "2026-03-21T00:00Z")).toEqual([
      "2026-03-06T00:00",
      "2026-03-13T00:00",
      "2026-03-20T00:00",
    ]);
  });

  it("fires a skipped time once, at the end of the gap", () => {
    const span = ["Europe/Berlin", "2026-03-28T12:00Z", "2026-03-30T12:00Z"] as const;
    expect(list("30 2 * * *", ...span)).toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
    expect(list("*/20 2 * * *", ...span).slice(0, 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:00"]);
    expect(iso(lastAtOrBefore(cronOf("30 2 * * *"), "Europe/Berlin", Date.parse("2026-03-29T01:00Z")))).toBe(
      "2026-03-29T01:00:00.000Z",
    );
  });

  it("fires a time that comes twice once, the first time", () => {
    const span = ["Europe/Berlin", "2026-10-24T12:00Z", "2026-10-26T12:00Z"] as const;
    expect(list("30 2 * * *", ...span)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
    const hourly = cronOf("0 * * * *");
    expect(iso(nextAfter(hourly, "Europe/Berlin", Date.parse("2026-10-25T00:00Z")))).toBe(
      "2026-10-25T02:00:00.000Z",
    );
    expect(iso(lastAtOrBefore(cronOf("45 2 * * *"), "Europe/Berlin", Date.parse("2026-10-25T01:10Z")))).toBe(
      "2026-10-25T00:45:00.000Z",
    );
  });

  it("survives a day that a zone left out", () => {
    expect(list("0 9 30 12 *", "Pacific/Apia", "2011-12-28T00:00Z", "2012-01-02T00:00Z")).toEqual([
      "2011-12-30T10:00",
    ]);
  });

  it("finds 29 February and gives up on 30 February", () => {
    expect(iso(nextAfter(cronOf("0 0 29 2 *"), "Etc/UTC", Date.parse("2096-03-01T00:00Z")))).toBe(
      "2104-02-29T00:00:00.000Z",
    );
    expect(nextAfter(cronOf("0 0 30 2 *"), "Etc/UTC", 0)).toBeUndefined();
    expect(lastAtOrBefore(cronOf("0 0 31 4 *"), "Europe/Paris", 1e12)).toBeUndefined();
  });

  it(`agrees with croner away from clock changes (HOLDFAST_SEED=${seed})`, () => {
    let state = seed >>> 0;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const zones = [
      "Etc/UTC",
      "Europe/Berlin",
      "America/New_York",
      "Asia/Kolkata",
      "Australia/Lord_Howe",
      "Africa/Casablanca",
    ];
    const field = (low: number, high: number) => {
      const one = () => low + random(high - low + 1);
      const [a, b] = [one(), one()];
      return (
        ["*", "*", `${a}`, `${Math.min(a, b)}-${Math.max(a, b)}`, `*/${1 + random(high - 1)}`, `${a},${b}`][
          random(6)
        ] ?? "*"
      );
    };
    let asked = 0;
    for (let round = 0; round < 1500; round += 1) {
      // A stepped star in a day field is a restriction here and none in croner.
      const days = [field(1, 28), field(0, 6)].map((f) => (f.startsWith("*/") ? "*" : f));
      const text = `${field(0, 59)} ${field(0, 23)} ${days[0]} ${field(1, 12)} ${days[1]}`;
      const zone = zones[random(zones.length)] ?? "Etc/UTC";
      const fromMs = Date.UTC(
        2020 + random(12),
        random(12),
        1 + random(28),
        random(24),
        random(60),
        random(60),
      );
      const mine = nextAfter(cronOf(text), zone, fromMs);
      const theirs = new Croner(text, { timezone: zone, paused: true }).nextRun(new Date(fromMs))?.getTime();
      const latest = Math.max(mine ?? fromMs, theirs ?? fromMs);
      const near = (at: number) => clockChanges(zone, at - dayMs, at + dayMs).length > 0;
      if (near(fromMs) || (latest > fromMs && near(latest))) continue;
      asked += 1;
      expect(iso(mine), `${text} in ${zone} after ${iso(fromMs)}`).toBe(iso(theirs));
      if (mine === undefined) continue;
      expect(iso(lastAtOrBefore(cronOf(text), zone, mine))).toBe(iso(mine));
      expect(iso(nextAfter(cronOf(text), zone, mine - 1))).toBe(iso(mine));
      const before = lastAtOrBefore(cronOf(text), zone, mine - 1);
      if (before !== undefined) expect(iso(nextAfter(cronOf(text), zone, before))).toBe(iso(mine));
    }
    expect(asked).toBeGreaterThan(700);
  });
});

describe("widestGapMs", () => {
  const fromMs = Date.parse("2026-01-01T00:00Z");
  it.each([
    ["0 2 * * *", "Etc/UTC", 24],
    ["0 2 * * *", "Europe/Berlin", 25],
    ["0 * * * *", "Etc/UTC", 1],
    ["0 * * * *", "Europe/Berlin", 2],
    ["0 9,17 * * 1-5", "Etc/UTC", 64],
    ["0 0 31 * *", "Etc/UTC", 61 * 24],
    ["0 0 30 2 *", "Etc/UTC", Number.POSITIVE_INFINITY],
  ])("%s in %s is %d h", (text, zone, hours) => {
    expect(widestGapMs(cronOf(text), zone, fromMs, 366) / hourMs).toBe(hours);
  });

  it("equals the widest of all firings", () => {
    for (const text of ["17 3,4,19 * * 2", "*/7 1-5 * * *", "30 2 * 3,10 0", "0 0,12 1-7 * 1"]) {
      const all = occurrences(cronOf(text), "America/New_York", fromMs, fromMs + 366 * dayMs, 1e6);
      const widest = Math.max(...all.slice(1).map((at, i) => at - (all[i] ?? 0)));
      expect(widestGapMs(cronOf(text), "America/New_York", fromMs, 366), text).toBe(widest);
    }
  });

  it("stays cheap for ten thousand different lines", () => {
    const before = process.cpuUsage();
    for (let i = 0; i < 10_000; i += 1) {
      const cron = cronOf(`${i % 60} ${Math.floor(i / 60) % 24} * * ${i % 7}`);
      widestGapMs(cron, i % 2 === 0 ? "Etc/UTC" : "Europe/Berlin", fromMs + i, 366);
    }
    const used = process.cpuUsage(before);
    expect((used.user + used.system) / 1e6).toBeLessThan(3);
  });
});

describe("zones", () => {
  it("knows names and refuses offsets and nonsense", () => {
    expect(["Etc/UTC", "Europe/Berlin", "UTC"].map(isTimeZone)).toEqual([true, true, true]);
    expect(["+01:00", "Mars/Olympus", "", "__proto__"].map(isTimeZone)).toEqual([false, false, false, false]);
  });
  it("finds clock changes to the second", () => {
    const year = clockChanges(
      "Europe/Berlin",
      Date.parse("2026-01-01T00:00Z"),
      Date.parse("2027-01-01T00:00Z"),
    );
    expect(year.map((c) => [iso(c.atMs), c.beforeMs / hourMs, c.afterMs / hourMs])).toEqual([
      ["2026-03-29T01:00:00.000Z", 1, 2],
      ["2026-10-25T01:00:00.000Z", 2, 1],
    ]);
    expect(clockChanges("Etc/UTC", 0, 1e13)).toEqual([]);
  });
});
