import { describe, expect, it } from "vitest";
import type { Catalogue, LogArchive, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import type { LogSettings } from "../../../src/policy/model.ts";
import { planRestore } from "../../../src/recovery/chain.ts";
import { usablePoints } from "../../../src/recovery/usable.ts";
import { type PrunePlan, prunePlan } from "../../../src/retention/prune.ts";
import { seed } from "../../seed.ts";
import { dayMs, policy } from "../report/fixtures.ts";
import { generator } from "./cases.ts";
import {
  archiveOf,
  failureOf,
  historyOf,
  logged,
  oneBranch,
  ours,
  perDay,
  segment,
  startMs,
  stepMs,
  storedMsOf,
  wholeLog,
} from "./histories.ts";

const days = 40;
const nowMs = startMs + days * dayMs - dayMs / 2;
const last = Math.floor((nowMs - startMs) / stepMs) - 1;
const log = (keepDays: number): LogSettings => ({
  mode: "stream",
  store: { name: "wal-archive", prefix: "wal/" },
  retention: { name: "postgresql-wal", keep: { days: keepDays } },
  pushEveryMs: 2000,
  slot: "holdfast",
});

function planOf(
  points: readonly RecoveryPoint[],
  archive: LogArchive,
  windowDays = 7,
  keepDays = 7,
): PrunePlan {
  const objectives = { ...policy().objectives, pitrWindowMs: windowDays * dayMs };
  const retention = { name: "x", keep: { daily: 9, weekly: 5 } };
  const change = { log: log(keepDays), objectives, retention };
  return prunePlan({ policy: policy(change), catalogue: historyOf(points, archive), store: ours, nowMs });
}

/** What is in the store after the plan's log has gone. */
function leftBy(points: readonly RecoveryPoint[], archive: LogArchive, plan: PrunePlan): Catalogue {
  const gone = new Set(plan.logKeys);
  return historyOf(points, { ...archive, segments: archive.segments.filter((s) => !gone.has(s.key)) });
}

function expectHeld(left: Catalogue, windowDays: number, where = ""): void {
  for (const u of usablePoints(left)) {
    expect(u.logComplete, `${where}: point ${u.point.manifest.id} lost the log it needs`).toBe(true);
  }
  const logReachMs = storedMsOf(last);
  for (let atMs = nowMs - windowDays * dayMs; atMs <= logReachMs; atMs += dayMs * 0.7) {
    const target = { kind: "time", at: instant(atMs) } as const;
    expect(() => planRestore({ catalogue: left, target, logReachMs }), `${where} ${target.at}`).not.toThrow();
  }
}

describe("what of the log goes", () => {
  it("everything older than the window that no point needs", () => {
    const points = logged(days);
    const archive = wholeLog(last);
    const plan = planOf(points, archive);
    const left = leftBy(points, archive, plan);
    expectHeld(left, 7);
    // The base before the window's start, 32 days in, is where the unbroken log begins.
    const kept = new Set(left.log?.segments.map((s) => s.sequence));
    const anchor = 32 * perDay;
    for (let n = 0; n <= last; n += 1) {
      const isNeeded = n >= anchor || n % perDay < 2;
      expect(kept.has(n), `segment ${n}`).toBe(isNeeded);
    }
  });

  it("follows the longer of window and log retention", () => {
    const points = logged(days);
    const archive = wholeLog(last);
    expectHeld(leftBy(points, archive, planOf(points, archive, 3, 7)), 7);
    expectHeld(leftBy(points, archive, planOf(points, archive, 7, 1)), 7);
  });

  it("keeps both sides of a promotion", () => {
    for (const fork of [5 * perDay + 1, 20 * perDay, 33 * perDay + 50, 39 * perDay]) {
      const points = logged(days, fork);
      const archive = wholeLog(last, fork);
      const plan = planOf(points, archive);
      expectHeld(leftBy(points, archive, plan), 7, `fork at ${fork}`);
      expect(plan.logKeys.every((key) => !key.endsWith(".history"))).toBe(true);
      expect(plan.logKeys.length).toBeGreaterThan(1000);
    }
  });

  it("lets a partial go once the whole segment is there, and keeps the one at the end", () => {
    const points = logged(days);
    const whole = wholeLog(last);
    const partials = [
      segment(oneBranch, 3500, storedMsOf(3500), true),
      segment(oneBranch, last + 1, nowMs, true),
    ];
    const archive = archiveOf([...whole.segments, ...partials]);
    const { logKeys } = planOf(points, archive);
    expect(logKeys).toContain(partials[0]?.key);
    expect(logKeys).not.toContain(partials[1]?.key);
  });

  it("keeps what a point marked for removal needs until that point is gone", () => {
    const points = logged(days);
    const archive = wholeLog(last);
    const plan = planOf(points, archive);
    expect(plan.tombstones.length).toBeGreaterThan(0);
    expect(plan.deletions).toEqual([]);
    const left = leftBy(points, archive, plan);
    expect(usablePoints(left).every((u) => u.logComplete)).toBe(true);
  });
});

describe("when no log goes", () => {
  const subject = policy({ log: log(7), retention: { name: "x", keep: { daily: 9 } } });
  const archive = wholeLog(last);

  it.each([
    ["no kept point is as old as the window", (points: RecoveryPoint[]) => points.slice(-5)],
    [
      "the only old point has failed",
      (points: RecoveryPoint[]) => points.map((p, n) => (n < 35 ? failureOf(p) : p)),
    ],
    ["there is no point at all", () => []],
  ])("%s", (_, choose) => {
    expect(planOf(choose(logged(days)), archive).logKeys).toEqual([]);
  });

  it("a manifest that cannot be read may need any of it", () => {
    const seen = { ...historyOf(logged(days), archive), unreadable: [{ id: "x", reason: "cut" }] };
    const plan = prunePlan({ policy: subject, catalogue: seen, store: ours, nowMs });
    const readable = { ...seen, unreadable: [] };
    expect(prunePlan({ policy: subject, catalogue: readable, store: ours, nowMs }).logKeys).not.toEqual([]);
    expect(plan.logKeys).toEqual([]);
    expect(plan.notes.some((n) => n.message.includes("log"))).toBe(true);
  });

  it("the listing is incomplete or the marker is not ours", () => {
    const seen = historyOf(logged(days), archive);
    const shared = { policy: subject, nowMs };
    expect(prunePlan({ ...shared, catalogue: { ...seen, complete: false }, store: ours }).logKeys).toEqual(
      [],
    );
    expect(
      prunePlan({ ...shared, catalogue: seen, store: { ...ours, identity: "missing" } }).logKeys,
    ).toEqual([]);
  });

  it("a log kept for ever", () => {
    const settings = { ...log(7), retention: { name: "all", keep: { forever: true } as const } };
    const seen = historyOf(logged(days), archive);
    expect(
      prunePlan({ policy: policy({ log: settings }), catalogue: seen, store: ours, nowMs }).logKeys,
    ).toEqual([]);
  });
});

describe("histories at random", () => {
  it("lose neither a point nor an instant of the window", () => {
    console.log(`log expiry: HOLDFAST_SEED=${seed}`);
    const random = generator(seed);
    let removed = 0;
    for (let n = 0; n < 15; n += 1) {
      const fork = random() < 0.7 ? Math.floor(random() * last) : Number.POSITIVE_INFINITY;
      const points = logged(days, fork).map((p, day) => (day > 0 && random() < 0.1 ? failureOf(p) : p));
      const archive = wholeLog(last, fork);
      const windowDays = 1 + Math.floor(random() * 20);
      const plan = planOf(points, archive, windowDays, 1 + Math.floor(random() * 20));
      expectHeld(leftBy(points, archive, plan), windowDays, `seed ${seed}, history ${n}, fork ${fork}`);
      removed += plan.logKeys.length;
    }
    expect(removed).toBeGreaterThan(5000);
  });
});
