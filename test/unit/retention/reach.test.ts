import { describe, expect, it } from "vitest";
import { proveKeep } from "../../../src/lint/keep-proof.ts";
import type { KeepTable } from "../../../src/policy/model.ts";
import { provePitr, proveReach } from "../../../src/retention/reach.ts";
import { parseCron } from "../../../src/time/cron.ts";
import { seed } from "../../seed.ts";
import { generator, makeKeep } from "./cases.ts";
import { oracleKeeps } from "./oracle.ts";

const dayMs = 86_400_000;
const crons = ["0 2 * * *", "30 5 * * 1", "0 */6 * * *", "15 3 1 * *", "0 4 1,15 * *", "0 9,17 * * 1-5"];
const nowMs = Date.parse("2026-11-22T05:12:00Z");
const holds = (keep: KeepTable, reachDays: number, cron = "0 2 * * *", timeZone = "Etc/UTC") =>
  proveReach({ cron, timeZone, keep, reachMs: reachDays * dayMs, nowMs });

describe("reach", () => {
  it.each<[KeepTable, number, boolean]>([
    [{ daily: 7, weekly: 4, monthly: 12, yearly: 1 }, 30, true],
    [{ daily: 7, weekly: 4, monthly: 12, yearly: 1 }, 300, true],
    [{ daily: 7, weekly: 4, monthly: 12, yearly: 1 }, 366, false],
    [{ daily: 7 }, 6, true],
    [{ daily: 7 }, 7, false],
    [{ daily: 8 }, 7, true],
    // On a Monday the older of two weeks is represented by its Sunday.
    [{ weekly: 2 }, 1, true],
    [{ weekly: 2 }, 2, false],
    [{ weekly: 3 }, 8, true],
    [{ weekly: 3 }, 9, false],
    // On 1 March 2027 the oldest of three months is 31 January.
    [{ monthly: 3 }, 29, true],
    [{ monthly: 3 }, 30, false],
    [{ yearly: 3 }, 366, true],
    [{ yearly: 3 }, 367, false],
    [{ yearly: 1 }, 1, false],
    [{ last: 10 }, 9, true],
    [{ last: 10 }, 10, false],
    [{ days: 30 }, 29, true],
    // At a capture the oldest is thirty days old; an hour later it is twenty-nine.
    [{ days: 30 }, 30, false],
    [{ days: 31 }, 30, true],
  ])("%o holds %i days: %s", (keep, reachDays, wanted) => {
    expect(holds(keep, reachDays).holds).toBe(wanted);
  });

  it("names the first bad day and the least age", () => {
    const proof = holds({ daily: 7 }, 30);
    expect(proof).toMatchObject({ holds: false, oldestAgeDays: 6 });
    expect(proof.firstBadDay).toMatch(/^2026-11-2\d$/);
    expect(proof.detail).toContain("6 days old");
  });

  it("a day of 23 hours makes seven of them shorter than a week", () => {
    expect(holds({ daily: 8 }, 7, "30 4 * * *", "Europe/Berlin").holds).toBe(false);
    expect(holds({ daily: 9 }, 7, "30 4 * * *", "Europe/Berlin").holds).toBe(true);
  });

  it("counts what fires, not what is written", () => {
    expect(holds({ daily: 7 }, 30, "0 2 * * 1").holds).toBe(true);
    expect(holds({ hourly: 25 }, 1, "0 * * * *").holds).toBe(true);
    expect(holds({ hourly: 24 }, 1, "0 * * * *").holds).toBe(false);
  });

  it("says so when a history is too long to be followed", () => {
    expect(holds({ daily: 2000 }, 1500, "* * * * *")).toMatchObject({ holds: false });
    expect(holds({ daily: 2000 }, 1500, "* * * * *").detail).toContain("too often");
  });

  it("a cron that is wrong or never fires holds nothing", () => {
    expect(holds({ forever: true }, 1, "0 2 30 2 *")).toMatchObject({ holds: false });
    expect(holds({ forever: true }, 1, "nonsense")).toMatchObject({ holds: false });
  });

  it("for ever is held by for ever alone", () => {
    const question = { cron: "0 2 * * *", timeZone: "Etc/UTC", reachMs: "forever", nowMs } as const;
    expect(proveReach({ ...question, keep: { forever: true } }).holds).toBe(true);
    expect(proveReach({ ...question, keep: { yearly: 1000 } }).holds).toBe(false);
    expect(holds({ forever: true }, 30).holds).toBe(true);
  });

  it("is the same to lint where a day more or less decides", () => {
    const cron = parseCron("0 2 * * *");
    if ("error" in cron) throw new Error(cron.error);
    for (const [days, wanted] of [
      [30, false],
      [31, true],
    ] as const) {
      expect(proveKeep(cron, "Etc/UTC", { days }, 30 * dayMs, nowMs).holds).toBe(wanted);
    }
  });

  it("sees a point that ends by its age between two captures", () => {
    // From Tuesday on the newest of a weekly capture is alone, and one day old.
    expect(holds({ days: 8 }, 2, "30 5 * * 1").holds).toBe(false);
    expect(holds({ days: 9 }, 2, "30 5 * * 1").holds).toBe(true);
    expect(holds({ days: 8, last: 2 }, 2, "30 5 * * 1").holds).toBe(true);
  });

  it.each<[KeepTable, number, string, string, boolean]>([
    // Between two captures the one point that is left is younger than a week. HOLDFAST_SEED=79224906
    [{ yearly: 1, days: 8 }, 7, "30 5 * * 1", "2026-11-22", false],
    [{ daily: 1, days: 22 }, 13, "0 0 1,15 * *", "2027-03-07", false],
    // The first capture of a day takes the place of an older one at the very instant at which that ends.
    [{ daily: 6, days: 7 }, 7, "0 9,17 * * 1-5", "2027-08-11", false],
    // An older point than the reach is there, however long before it.
    [{ days: 54 }, 7, "15 3 1 * *", "2026-12-27", true],
    [{ days: 91 }, 53, "30 5 * * 1", "2026-11-30", true],
  ])("is the same to lint: %o, %i days, %s on %s", (keep, reachDays, text, today, wanted) => {
    const cron = parseCron(text);
    if ("error" in cron) throw new Error(cron.error);
    const at = { timeZone: "Etc/UTC", reachMs: reachDays * dayMs, nowMs: Date.parse(today) };
    expect(proveReach({ ...at, cron: text, keep }).holds).toBe(wanted);
    expect(proveKeep(cron, at.timeZone, keep, at.reachMs, at.nowMs).holds).toBe(wanted);
  });

  it("agrees with a naive day by day run, and with what lint computes in UTC", () => {
    const random = generator(seed);
    for (let n = 0; n < 100; n += 1) {
      const made = makeKeep(random);
      if (made.forever) continue;
      const keep = made.days === undefined ? made : { ...made, days: 1 + Math.floor(random() * 100) };
      const reachDays = 1 + Math.floor(random() * (n % 2 === 0 ? 60 : 15));
      const cron = crons[Math.floor(random() * crons.length)] as string;
      const where = JSON.stringify({ seed, n, keep, reachDays, cron });
      const parsed = parseCron(cron);
      if ("error" in parsed) throw new Error(cron);
      const lint = proveKeep(parsed, "Etc/UTC", keep, reachDays * dayMs, nowMs);
      const proof = holds(keep, reachDays, cron);
      expect(proof.holds, where).toBe(lint.holds);
      if (cron === "0 2 * * *") expect(proof.holds, where).toBe(naively(keep, reachDays));
    }
  });
});

/** Keeps what the oracle keeps, prunes an instant after each capture, and looks at the oldest. */
function naively(keep: KeepTable, reachDays: number): boolean {
  const firstMs = Date.parse("2026-11-22T02:00:00Z") - (reachDays + 370) * dayMs;
  let points: { id: string; atMs: number; good: boolean; parents: string[] }[] = [];
  for (let day = 0; day < reachDays + 770; day += 1) {
    const atMs = firstMs + day * dayMs;
    points.push({ id: new Date(atMs).toISOString(), atMs, good: true, parents: [] });
    const kept = oracleKeeps(points, keep, "Etc/UTC", atMs + 1);
    points = points.filter((p) => kept.has(p.id));
    const oldestMs = Math.min(...points.map((p) => p.atMs));
    if (day >= reachDays + 370 && atMs - oldestMs < reachDays * dayMs) return false;
  }
  return true;
}

describe("the PITR window", () => {
  const question = { cron: "0 2 * * *", timeZone: "Etc/UTC", nowMs, pitrWindowMs: 7 * dayMs };

  it("needs a base before its start and the log from there on", () => {
    expect(provePitr({ ...question, keep: { daily: 8 }, logKeep: { days: 7 } }).holds).toBe(true);
    expect(provePitr({ ...question, keep: { daily: 7 }, logKeep: { days: 7 } }).holds).toBe(false);
    const short = provePitr({ ...question, keep: { daily: 30 }, logKeep: { days: 6 } });
    expect(short.holds).toBe(false);
    expect(short.detail).toContain("6d");
    expect(provePitr({ ...question, keep: { daily: 30 }, logKeep: { forever: true } }).holds).toBe(true);
  });
});
