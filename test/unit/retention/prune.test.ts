import { describe, expect, it } from "vitest";
import type { Catalogue, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { type PrunePlan, prunePlan } from "../../../src/retention/prune.ts";
import type { StoreFacts } from "../../../src/state/job.ts";
import { seed } from "../../seed.ts";
import { dayMs, policy } from "../report/fixtures.ts";
import { generator } from "./cases.ts";
import { daily, failureOf, historyOf, holdOn, ours, proofOf, startMs, tombstoneOn } from "./histories.ts";

const afterDays = (days: number) => startMs + days * dayMs - dayMs / 2;

interface Question {
  readonly points: readonly RecoveryPoint[];
  readonly change?: Partial<Policy>;
  readonly store?: StoreFacts;
  readonly nowMs?: number;
  readonly seen?: Partial<Catalogue>;
}

function planOf({ points, change = {}, store = ours, nowMs, seen = {} }: Question): PrunePlan {
  return prunePlan({
    policy: policy(change),
    catalogue: { ...historyOf(points), ...seen },
    store,
    nowMs: nowMs ?? Math.max(...points.map((p) => Date.parse(p.storedAt))) + dayMs / 2,
  });
}

function changes(plan: PrunePlan): number {
  return plan.tombstones.length + plan.deletions.length + plan.revive.length + plan.logKeys.length;
}

const isKept = (plan: PrunePlan, p: RecoveryPoint) =>
  plan.decisions.find((d) => d.id === p.manifest.id)?.keep;
const ids = (of: readonly { readonly id: string }[]) => of.map((o) => o.id);

describe("two steps", () => {
  it("marks what the table lets go, oldest first, and removes nothing yet", () => {
    const points = daily(10);
    const plan = planOf({ points });
    expect(ids(plan.tombstones)).toEqual(points.slice(0, 3).map((p) => p.manifest.id));
    expect(plan.deletions).toEqual([]);
    expect(plan.tombstones[0]?.notBefore).toBe(instant(afterDays(10) + 240_000 + dayMs));
    expect(plan.tombstones[0]?.reason).toContain("no place in daily 7");
  });

  it("removes a marked point only after its grace", () => {
    const nowMs = afterDays(10) + dayMs / 4;
    const marked = (notBeforeMs: number) =>
      daily(10).map((p, n) => (n === 0 ? tombstoneOn(p, notBeforeMs) : p));
    expect(planOf({ points: marked(nowMs + 1), nowMs }).deletions).toEqual([]);
    const plan = planOf({ points: marked(nowMs), nowMs });
    expect(ids(plan.deletions)).toEqual([daily(1)[0]?.manifest.id]);
    expect(plan.deletions[0]?.reason).not.toBe("");
  });

  it("takes a tombstone for other bytes as none", () => {
    const points = daily(10).map((p, n) => (n === 0 ? tombstoneOn(p, 0, "f".repeat(64)) : p));
    const plan = planOf({ points });
    expect(plan.deletions).toEqual([]);
    expect(plan.revive).toEqual([points[0]?.manifest.id]);
  });

  it("never deletes by a tombstone whose date nobody can read", () => {
    const points = daily(10).map((p, n) => {
      const marked = tombstoneOn(p, 0);
      return n === 0 && marked.tombstone
        ? { ...marked, tombstone: { ...marked.tombstone, notBefore: "soon" } }
        : p;
    });
    expect(planOf({ points }).deletions).toEqual([]);
  });

  it("revives a marked point that the table wants again", () => {
    const points = daily(10).map((p, n) => (n < 3 ? tombstoneOn(p, 0) : p));
    const plan = planOf({ points, change: { retention: { name: "more", keep: { daily: 9 } } } });
    expect(plan.revive).toEqual([points[1]?.manifest.id, points[2]?.manifest.id]);
    expect(ids(plan.deletions)).toEqual([points[0]?.manifest.id]);
  });
});

describe("what must never go", () => {
  it("the last proven point, however old", () => {
    const points = daily(40).map((p, n) => (n === 0 ? proofOf(p) : p));
    const first = points[0] as RecoveryPoint;
    const plan = planOf({ points: points.map((p, n) => (n === 0 ? tombstoneOn(p, 0) : p)) });
    expect(isKept(plan, first)).toBe(true);
    expect(plan.deletions).toEqual([]);
    expect(plan.revive).toEqual([first.manifest.id]);
  });

  it("a proof that a later failure took back does not count", () => {
    const points = daily(40).map((p, n) => (n === 1 ? proofOf(p) : n === 9 ? failureOf(proofOf(p)) : p));
    const plan = planOf({ points });
    expect(isKept(plan, points[1] as RecoveryPoint)).toBe(true);
    expect(isKept(plan, points[9] as RecoveryPoint)).toBe(false);
  });

  it("the newest proven ones up to the floor", () => {
    const points = daily(40).map((p, n) => (n < 5 ? proofOf(p) : p));
    const plan = planOf({ points, change: { prune: { floor: 3, graceMs: 0, maxShare: 1 } } });
    expect(points.slice(0, 6).map((p) => isKept(plan, p))).toEqual([false, false, true, true, true, false]);
  });

  it("a floor of zero is still one", () => {
    const points = daily(3).map((p, n) => (n === 0 ? proofOf(p) : p));
    const change = {
      prune: { floor: 0, graceMs: 0, maxShare: 1 },
      retention: { name: "x", keep: { last: 1 } },
    };
    expect(isKept(planOf({ points, change }), points[0] as RecoveryPoint)).toBe(true);
  });

  it("with none proven the newest good ones, with none good the newest", () => {
    const change = {
      retention: { name: "x", keep: { last: 1 } },
      prune: { floor: 2, graceMs: 0, maxShare: 1 },
    };
    const good = daily(6).map((p, n) => (n >= 2 ? failureOf(p) : p));
    const plan = planOf({ points: good, change });
    expect(good.slice(0, 2).map((p) => isKept(plan, p))).toEqual([true, true]);
    const bad = daily(6).map(failureOf);
    expect(bad.map((p) => isKept(planOf({ points: bad, change }), p))).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it("one that is held, until the hold ends", () => {
    const nowMs = afterDays(20) + dayMs / 4;
    const until = (at: string | null) =>
      daily(20).map((p, n) => (n === 0 ? holdOn(tombstoneOn(p, 0), at) : p));
    for (const at of [null, instant(nowMs + 1), "whenever"]) {
      const plan = planOf({ points: until(at), nowMs });
      expect(plan.deletions, String(at)).toEqual([]);
      expect(plan.decisions[0]?.reasons.join()).toContain("held by alice");
    }
    expect(planOf({ points: until(instant(nowMs)), nowMs }).deletions).toHaveLength(1);
  });

  it("what a held point needs, also where the table wants none of it", () => {
    const points = daily(20).map((p, n) => {
      const parents = n > 0 && n < 4 ? [daily(20)[n - 1]?.manifest.id ?? ""] : [];
      const linked = { ...p, manifest: { ...p.manifest, parents } };
      return n === 3 ? holdOn(linked, null) : linked;
    });
    const plan = planOf({ points });
    expect(points.slice(0, 5).map((p) => isKept(plan, p))).toEqual([true, true, true, true, false]);
    expect(ids(plan.tombstones)).not.toContain(points[0]?.manifest.id);
  });

  it("one the store has locked", () => {
    const nowMs = afterDays(20) + dayMs / 4;
    const locked = (at: string) =>
      daily(20).map((p, n) => (n === 0 ? { ...tombstoneOn(p, 0), lockedUntil: at } : p));
    expect(planOf({ points: locked(instant(nowMs + 1)), nowMs }).deletions).toEqual([]);
    expect(planOf({ points: locked("2026"), nowMs }).deletions).toHaveLength(1);
    expect(planOf({ points: locked("never"), nowMs }).deletions).toEqual([]);
  });

  it("a parent of a kept point, through the whole chain", () => {
    const points = daily(20).map((p, n) => {
      const parents = n >= 5 ? [daily(20)[n - 1]?.manifest.id ?? ""] : [];
      const manifest = {
        ...p.manifest,
        parents,
        capture: n === 0 ? ("full" as const) : ("incremental" as const),
      };
      return tombstoneOn({ ...p, manifest }, 0);
    });
    const plan = planOf({ points, change: { prune: { floor: 1, graceMs: 0, maxShare: 1 } } });
    expect(ids(plan.deletions)).toEqual(points.slice(0, 4).map((p) => p.manifest.id));
    expect(plan.decisions[4]?.reasons.join()).toContain("needed by");
  });

  it("a parent before its child, when both go", () => {
    const points = daily(20).map((p, n) => {
      const parents = n % 4 === 0 ? [] : [daily(20)[n - 1]?.manifest.id ?? ""];
      return tombstoneOn({ ...p, manifest: { ...p.manifest, parents } }, 0);
    });
    const plan = planOf({ points, change: { prune: { floor: 1, graceMs: 0, maxShare: 1 } } });
    const order = ids(plan.deletions);
    expect(order.length).toBeGreaterThan(4);
    for (const p of points) {
      for (const parent of p.manifest.parents) {
        if (!order.includes(parent)) continue;
        expect(order.indexOf(p.manifest.id)).toBeGreaterThanOrEqual(0);
        expect(order.indexOf(p.manifest.id)).toBeLessThan(order.indexOf(parent));
      }
    }
  });

  it("half a chain: the cap never leaves a child without its parent", () => {
    const points = daily(20).map((p, n) => {
      const parents = n === 0 || n > 12 ? [] : [daily(20)[n - 1]?.manifest.id ?? ""];
      return tombstoneOn({ ...p, manifest: { ...p.manifest, parents } }, 0);
    });
    const plan = planOf({ points });
    expect(ids(plan.deletions)).toEqual([12, 11, 10].map((n) => points[n]?.manifest.id));
  });

  it("one of another policy or cluster listed by mistake", () => {
    const points = daily(20).map((p, n) =>
      n === 0 ? tombstoneOn({ ...p, manifest: { ...p.manifest, policy: "other" } }, 0) : p,
    );
    expect(planOf({ points }).deletions).toEqual([]);
  });

  it("one whose date of storing nobody can read", () => {
    const points = daily(20).map((p, n) => (n === 4 ? { ...tombstoneOn(p, 0), storedAt: "?" } : p));
    const plan = planOf({ points, nowMs: afterDays(20) + dayMs / 4 });
    expect(isKept(plan, points[4] as RecoveryPoint)).toBe(true);
  });
});

describe("when nothing may be touched", () => {
  const due = () => daily(20).map((p, n) => (n < 5 ? tombstoneOn(p, 0) : p));

  it.each(["missing", "foreign", "unreachable"] as const)("a marker that is %s", (identity) => {
    const plan = planOf({ points: due(), store: { ...ours, identity, detail: "cluster 'other'" } });
    expect(changes(plan)).toBe(0);
    expect(plan.refusals[0]?.guard).toBe("store-identity");
  });

  it("a marker or a catalogue of another policy", () => {
    expect(changes(planOf({ points: due(), store: { ...ours, policy: "other" } }))).toBe(0);
    expect(changes(planOf({ points: due(), seen: { policy: "other" } }))).toBe(0);
  });

  it("an incomplete listing", () => {
    const plan = planOf({ points: due(), seen: { complete: false, remarks: ["page 2 did not come"] } });
    expect(changes(plan)).toBe(0);
    expect(plan.refusals[0]?.guard).toBe("incomplete-listing");
    expect(plan.refusals[0]?.message).toContain("page 2");
  });

  it("a suspended policy", () => {
    expect(changes(planOf({ points: due(), change: { suspended: true } }))).toBe(0);
  });

  it("a clock that runs behind the store", () => {
    const plan = planOf({ points: due(), nowMs: afterDays(10) });
    expect(changes(plan)).toBe(0);
    expect(plan.refusals[0]?.guard).toBe("clock-jump");
  });

  it.each([8, 20, 35, 400])(
    "a clock that has jumped %i days ahead, or captures that have stopped",
    (days) => {
      const keep = { retention: { name: "x", keep: { days: 30 } } };
      const points = daily(40).map((p, n) => (n < 10 ? tombstoneOn(p, 0) : p));
      expect(changes(planOf({ points, change: keep }))).toBeGreaterThan(0);
      const plan = planOf({ points, change: keep, nowMs: afterDays(40 + days) });
      expect(changes(plan)).toBe(0);
      expect(plan.refusals[0]?.guard).toBe("clock-jump");
    },
  );

  it("a table that would let every point go", () => {
    const change = { retention: { name: "x", keep: { days: 1 } } };
    const plan = planOf({ points: due(), change, nowMs: afterDays(20) + 1.4 * dayMs });
    expect(changes(plan)).toBe(0);
    expect(plan.refusals[0]?.message).toContain("every one of 20 points");
  });

  it("dates a client made up: the store's own clock counts", () => {
    const points = daily(20).map((p, n) => {
      const slotAt = instant(startMs - n * 400 * dayMs);
      return { ...p, manifest: { ...p.manifest, slotAt, startedAt: slotAt, finishedAt: slotAt } };
    });
    const plan = planOf({ points });
    expect(points.map((p) => isKept(plan, p))).toEqual(points.map((_, n) => n >= 13));
  });

  it("a rare schedule is not taken for a jump", () => {
    const weekly = { schedule: { kind: "cron", cron: "0 2 * * 0", timeZone: "Etc/UTC" } } as const;
    expect(
      planOf({ points: due(), change: weekly, nowMs: afterDays(20) + 8 * dayMs }).deletions,
    ).toHaveLength(3);
  });

  it("a manifest that cannot be read is named and never counted", () => {
    const plan = planOf({ points: due(), seen: { unreadable: [{ id: "20260801T020000Z", reason: "cut" }] } });
    const named = [...ids(plan.deletions), ...ids(plan.tombstones), ...ids(plan.decisions)];
    expect(named).not.toContain("20260801T020000Z");
    expect(plan.notes.some((n) => n.severity === "critical" && n.message.includes("20260801T020000Z"))).toBe(
      true,
    );
  });

  it("an empty catalogue is fine and leads to nothing", () => {
    expect(changes(planOf({ points: [], nowMs: startMs }))).toBe(0);
  });
});

describe("the share of one run", () => {
  it("three are always allowed, more only within the share", () => {
    const small = daily(12).map((p, n) => (n < 5 ? tombstoneOn(p, 0) : p));
    const plan = planOf({ points: small });
    expect(plan.deletions).toHaveLength(3);
    expect(plan.refusals[0]?.guard).toBe("share-cap");
    const large = daily(70).map((p, n) => (n < 60 ? tombstoneOn(p, 0) : p));
    expect(planOf({ points: large }).deletions).toHaveLength(7);
    expect(planOf({ points: daily(70) }).tombstones).toHaveLength(7);
    expect(
      planOf({ points: large, change: { prune: { floor: 1, graceMs: 0, maxShare: 0 } } }).deletions,
    ).toHaveLength(3);
  });
});

describe("a hundred days of pruning at random", () => {
  it("breaks none of the rules", () => {
    console.log(`prune: HOLDFAST_SEED=${seed}`);
    const random = generator(seed);
    let removedCount = 0;
    for (let history = 0; history < 60; history += 1) removedCount += live(random, history);
    expect(removedCount).toBeGreaterThan(500);
  });
});

/** Captures, verifies, holds and prunes day after day; every removal is judged by rules written out here. */
function live(random: () => number, history: number): number {
  const below = (limit: number) => Math.floor(random() * limit);
  const floor = 1 + below(3);
  const maxShare = random() * 0.5;
  const graceMs = below(3) * dayMs;
  const retention = { name: "x", keep: { daily: 1 + below(9), weekly: below(4), monthly: below(3) } };
  const change = { prune: { floor, maxShare, graceMs }, retention };
  const chain = below(5);
  let points: RecoveryPoint[] = [];
  let removed = 0;
  const all = daily(100);
  for (let day = 0; day < 100; day += 1) {
    const fresh = all[day] as RecoveryPoint;
    const previous = points.at(-1)?.manifest.id;
    const parents = chain > 0 && day % (chain + 1) !== 0 && previous !== undefined ? [previous] : [];
    let made: RecoveryPoint = { ...fresh, manifest: { ...fresh.manifest, parents } };
    if (random() < 0.2) made = proofOf(made);
    if (random() < 0.2) made = failureOf(made);
    if (random() < 0.05)
      made = holdOn(made, random() < 0.5 ? null : instant(startMs + (day + below(30)) * dayMs));
    if (random() < 0.9 || day === 0) points.push(made);
    const nowMs = Date.parse(fresh.storedAt) + 600_000;
    const plan = planOf({ points, change, nowMs });
    judge({ points, plan, nowMs, floor, maxShare, where: `seed ${seed}, history ${history}, day ${day}` });
    removed += plan.deletions.length;
    const gone = new Set(ids(plan.deletions));
    points = points
      .filter((p) => !gone.has(p.manifest.id))
      .map((p) => {
        const { tombstone, ...rest } = p;
        if (plan.revive.includes(p.manifest.id)) return rest;
        const mark = plan.tombstones.find((t) => t.id === p.manifest.id);
        return mark === undefined ? p : tombstoneOn(rest, Date.parse(mark.notBefore));
      });
  }
  return removed;
}

interface Judged {
  readonly points: readonly RecoveryPoint[];
  readonly plan: PrunePlan;
  readonly nowMs: number;
  readonly floor: number;
  readonly maxShare: number;
  readonly where: string;
}

function judge({ points, plan, nowMs, floor, maxShare, where }: Judged): void {
  const gone = new Set(ids(plan.deletions));
  const left = points.filter((p) => !gone.has(p.manifest.id));
  expect(gone.size, where).toBeLessThanOrEqual(Math.max(3, Math.floor(points.length * maxShare)));
  for (const p of points) {
    if (!gone.has(p.manifest.id)) {
      for (const parent of p.manifest.parents) expect(gone.has(parent), `${where}: orphan`).toBe(false);
      continue;
    }
    expect(Date.parse(p.tombstone?.notBefore ?? "?"), `${where}: no grace`).toBeLessThanOrEqual(nowMs);
    const isHeld = p.hold !== undefined && (p.hold.until === null || Date.parse(p.hold.until) > nowMs);
    expect(isHeld, `${where}: held`).toBe(false);
    expect(plan.decisions.find((d) => d.id === p.manifest.id)?.keep, where).toBe(false);
  }
  // A failure in these histories always comes after the proof of the same point.
  const proven = (p: RecoveryPoint) => p.verdicts.length === 1 && p.verdicts[0]?.ok === true;
  const before = points.filter(proven).slice(-floor);
  for (const p of before) expect(gone.has(p.manifest.id), `${where}: proven`).toBe(false);
  expect(left.length, where).toBeGreaterThan(0);
  expect(
    plan.decisions.every((d) => d.reasons.length > 0),
    where,
  ).toBe(true);
}
