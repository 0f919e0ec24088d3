/** The plan: what it does and does not want, when it is stale, and what a change of policies would do. */
import { describe, expect, it } from "vitest";
import type { Catalogue } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { planDifference } from "../../../src/plan/difference.ts";
import { canonicalActual } from "../../../src/plan/fingerprint.ts";
import { refuseStale } from "../../../src/plan/guard.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import { plan } from "../../../src/plan/plan.ts";
import type { Policy, PolicySet } from "../../../src/policy/model.ts";
import type { Actual, ActualJob, Drift, Run, SourceFacts, StoreFacts } from "../../../src/state/job.ts";
import { catalogue, dayMs, nowMs, point, policy } from "../report/fixtures.ts";

const hourMs = 3_600_000;
const store: StoreFacts = {
  policy: "postgresql",
  store: "primary",
  prefix: "postgresql/",
  identity: "ours",
  detail: "",
};
const source: SourceFacts = {
  policy: "postgresql",
  reachable: true,
  detail: "",
  version: "15.8",
  identity: "7",
  tools: {},
  drift: [],
};
const one = catalogue([point(nowMs - 3 * hourMs)]);

function setOf(...policies: readonly Policy[]): PolicySet {
  const none = {
    stores: [],
    keys: [],
    retention: [],
    checklists: [],
    alerts: [],
    receivers: [],
    waivers: [],
  };
  return { policies, ...none };
}

function held(
  policies: PolicySet,
  change: (key: string) => Partial<ActualJob> = () => ({}),
): readonly ActualJob[] {
  return desiredJobs(policies, ["postgresql"]).jobs.map((job) => ({
    job,
    revision: "old",
    ours: true,
    running: false,
    runs: [],
    since: instant(nowMs - 60_000),
    ...change(job.key),
  }));
}

function actualOf(change: Partial<Actual> = {}): Actual {
  const shared = { platform: "local", revision: "old", jobs: [], stores: [store], sources: [source] };
  return { ...shared, observedAt: instant(nowMs), ...change };
}

function planOf(set: PolicySet, actual: Actual, known: Catalogue | undefined = one) {
  return plan({
    revision: "4c2d9a1",
    set,
    builtKinds: ["postgresql"],
    actual,
    catalogues: new Map(known === undefined ? [] : [["postgresql", known]]),
    nowMs,
    fingerprint: "f",
  });
}

const lone = setOf(policy());
const runAt = (slotMs: number): Run => ({
  key: "postgresql/capture",
  policy: "postgresql",
  kind: "capture",
  slotAt: instant(slotMs),
  startedAt: instant(slotMs),
  outcome: "succeeded",
});

describe("the jobs wanted", () => {
  it("come with their words, groups and one verification per level", () => {
    const { jobs } = desiredJobs(lone, ["postgresql"]);
    expect(jobs.map((j) => [j.key, j.argv.join(" "), j.group])).toEqual([
      ["postgresql/capture", "backup postgresql", "postgresql"],
      ["postgresql/verify-0", "verify postgresql --level 0", "postgresql/verify"],
      ["postgresql/verify-5", "verify postgresql --level 5", "postgresql/verify"],
      ["postgresql/prune", "prune postgresql --apply", "postgresql"],
    ]);
  });

  it("are the same each time, at different times for different policies", () => {
    const set = setOf(policy(), policy({ name: "orders" }), policy({ name: "billing" }));
    const { jobs } = desiredJobs(set, ["postgresql"]);
    expect(desiredJobs(set, ["postgresql"]).jobs).toEqual(jobs);
    const prunes = jobs.filter((j) => j.kind === "prune").map((j) => JSON.stringify(j.schedule));
    expect(new Set(prunes).size).toBe(3);
  });

  it("have full captures and a log where the policy asks", () => {
    const full = policy();
    const set = setOf({
      ...full,
      capture: { ...full.capture, fullCron: "0 1 * * 0" },
      log: {
        mode: "stream",
        store: full.store,
        retention: { name: "wal", keep: { days: 7 } },
        pushEveryMs: 2000,
        slot: "h",
      },
    });
    const { jobs } = desiredJobs(set, ["postgresql"]);
    expect(jobs.find((j) => j.key === "postgresql/capture-full")?.argv).toEqual([
      "backup",
      "postgresql",
      "--full",
    ]);
    expect(jobs.find((j) => j.key === "postgresql/log")?.schedule).toEqual({ kind: "resident" });
  });

  it("are none for a component without an engine, and that is said", () => {
    const { jobs, notes } = desiredJobs(lone, []);
    expect(jobs).toEqual([]);
    expect(notes[0]?.message).toContain("the engine for PostgreSQL is not there yet");
  });
});

describe("a policy whose captures the tool's own schedule begins", () => {
  const method = "velero-schedule";
  const base = policy({ name: "velero-daily", component: "kubernetes" });
  const set = setOf({ ...base, capture: { ...base.capture, method } });
  const stores = [{ ...store, policy: "velero-daily", identity: "missing" as const }];

  it("has no job, no marker and no run, and the plan says who makes the backups", () => {
    const made = (policies: PolicySet) =>
      plan({
        ...{ revision: "", set: policies, builtKinds: ["kubernetes"], nowMs, fingerprint: "f" },
        actual: actualOf({ stores, sources: [] }),
        catalogues: new Map([["velero-daily", { ...catalogue([]), policy: "velero-daily" }]]),
      });
    expect([made(set).actions, made(set).refusals]).toEqual([[], []]);
    expect(made(set).notes).toMatchObject([{ policy: "velero-daily", severity: "info" }]);
    const own = made(setOf({ ...base, capture: { ...base.capture, method: "velero" } }));
    expect(own.actions.map((a) => a.kind)).toEqual(expect.arrayContaining(["mark-store", "create-job"]));
  });
});

describe("the plan", () => {
  it.each([
    ["runs", 1, /still runs; once the policy is proved: kubectl --namespace shop patch cronjob dump/],
    ["unknown", 1, /cannot be seen from here/],
    ["suspended", 0, /^$/],
    ["gone", 0, /^$/],
  ] as const)("tells of a replaced CronJob that is %s", (state, count, words) => {
    const replaced = [{ policy: "postgresql", name: "shop/dump", state }];
    const { actions, notes } = planOf(lone, actualOf({ jobs: held(lone), replaced }));
    expect(actions).toEqual([]);
    expect(notes).toHaveLength(count);
    expect(notes[0]?.message ?? "").toMatch(words);
  });

  it("is empty when everything is as wanted", () => {
    const made = planOf(lone, actualOf({ jobs: held(lone) }));
    expect([made.actions, made.refusals, made.notes]).toEqual([[], [], []]);
  });

  it("marks an empty prefix and never a full or foreign one", () => {
    const missing = (known: Catalogue | undefined) =>
      planOf(lone, actualOf({ stores: [{ ...store, identity: "missing" }], jobs: held(lone) }), known);
    expect(missing(catalogue([])).actions[0]?.kind).toBe("mark-store");
    for (const known of [
      one,
      { ...catalogue([]), complete: false },
      { ...catalogue([]), unreadable: [{ id: "x", reason: "" }] },
    ]) {
      expect(missing(known).actions.filter((a) => a.kind === "mark-store")).toEqual([]);
      expect(missing(known).refusals[0]?.guard).toBe("store-identity");
    }
    const foreign = planOf(
      lone,
      actualOf({ stores: [{ ...store, identity: "foreign", detail: "b" }] }),
      catalogue([]),
    );
    expect(foreign.refusals[0]?.guard).toBe("store-identity");
    expect(foreign.actions.some((a) => a.kind === "run-job")).toBe(false);
  });

  it("mends a source only as far as the policy and the engine allow", () => {
    const drift: Drift = {
      setting: "wal_level",
      wanted: "replica",
      found: "minimal",
      consequence: "no log",
      mend: "alter system",
      mendable: true,
      severity: "critical",
    };
    const made = (set: PolicySet, change: Partial<Drift> = {}) =>
      planOf(set, actualOf({ jobs: held(set), sources: [{ ...source, drift: [{ ...drift, ...change }] }] }));
    expect(made(lone).actions.map((a) => a.kind)).toEqual(["mend-source"]);
    expect(made(lone, { mendable: false }).actions).toEqual([]);
    const report = made(setOf(policy({ onDrift: "report" })));
    expect(report.actions).toEqual([]);
    expect(report.notes[0]?.message).toContain("alter system");
  });

  it("creates, changes and removes jobs, and leaves the points of a policy that is gone", () => {
    expect(planOf(lone, actualOf()).actions.map((a) => a.kind)).toEqual(Array(4).fill("create-job"));
    const later = setOf(policy({ schedule: { kind: "cron", cron: "0 3 * * *", timeZone: "Etc/UTC" } }));
    const changed = planOf(later, actualOf({ jobs: held(lone) }));
    expect(changed.actions).toMatchObject([{ kind: "update-job", changed: ["schedule"] }]);
    const gone = planOf(setOf(), actualOf({ jobs: held(lone) }));
    expect(new Set(gone.actions.map((a) => a.kind))).toEqual(new Set(["remove-job"]));
    expect(gone.notes).toHaveLength(1);
    expect(gone.notes[0]?.message).toContain("points stay");
  });

  it("never speaks of a point, whatever is removed or renamed", () => {
    const renamed = setOf(policy({ name: "renamed" }));
    for (const set of [setOf(), renamed]) {
      const kinds = planOf(set, actualOf({ jobs: held(lone) })).actions.map((a) => a.kind);
      for (const kind of ["tombstone", "delete-point", "delete-log"]) expect(kinds).not.toContain(kind);
    }
  });

  it("puts back a job somebody changed, or only says so", () => {
    const jobs = held(lone, (key) => (key.endsWith("prune") ? { ours: false } : {}));
    expect(planOf(lone, actualOf({ jobs })).actions).toMatchObject([{ kind: "update-job" }]);
    const report = planOf(setOf(policy({ onDrift: "report" })), actualOf({ jobs }));
    expect(report.actions).toEqual([]);
    expect(report.notes[0]?.message).toContain("somebody else changed");
  });

  it("makes up for the newest missed slot only, and says how many there were", () => {
    const jobs = (runs: readonly Run[], change: Partial<ActualJob> = {}) =>
      held(lone, (key) =>
        key === "postgresql/capture" ? { since: instant(nowMs - 5 * dayMs), runs, ...change } : {},
      );
    const runs = planOf(lone, actualOf({ jobs: jobs([]) })).actions;
    expect(runs).toMatchObject([
      { kind: "run-job", key: "postgresql/capture", slotAt: "2026-11-22T02:00:00.000Z" },
    ]);
    expect(runs[0]?.reason).toContain("5 slots");
    const last = [runAt(Date.parse("2026-11-22T02:00:00Z"))];
    expect(planOf(lone, actualOf({ jobs: jobs(last) })).actions).toEqual([]);
    expect(planOf(lone, actualOf({ jobs: jobs([], { running: true }) })).actions).toEqual([]);
  });

  it("takes a first point at once, after the job is there, and only once", () => {
    const first = planOf(lone, actualOf(), catalogue([])).actions;
    expect(first.at(-1)).toMatchObject({
      kind: "run-job",
      key: "postgresql/capture",
      slotAt: "2026-11-22T05:12:00.000Z",
      reason: "no recovery point yet",
    });
    expect(first.findIndex((a) => a.kind === "create-job")).toBe(0);
    const tried = held(lone, (key) => (key.endsWith("capture") ? { runs: [runAt(nowMs - 60_000)] } : {}));
    expect(planOf(lone, actualOf({ jobs: tried }), catalogue([])).actions).toEqual([]);
    const cut = { ...catalogue([]), complete: false };
    expect(planOf(lone, actualOf({ jobs: held(lone) }), cut).actions).toEqual([]);
  });

  it("runs nothing of a suspended policy", () => {
    const asleep = setOf(policy({ suspended: true }));
    const made = planOf(asleep, actualOf(), catalogue([]));
    expect(made.actions.map((a) => a.kind)).toEqual(Array(4).fill("create-job"));
    expect(made.actions.every((a) => a.kind === "create-job" && a.job.suspended)).toBe(true);
  });
});

describe("the fingerprint", () => {
  const of = (actual: Actual, known = one) => canonicalActual(actual, new Map([["postgresql", known]]));
  const jobs = held(lone, () => ({ runs: [runAt(nowMs - hourMs)] }));

  it("does not move with time or with the order of lists", () => {
    const log = { behindBytes: 1, retainedBytes: 2, lost: false, idle: false };
    const before = of(actualOf({ jobs, sources: [{ ...source, log }] }));
    const aged = jobs.map((j) => ({ ...j, runs: j.runs.map((r) => ({ ...r, startedAt: instant(nowMs) })) }));
    const after = of(
      actualOf({
        jobs: [...aged].reverse(),
        observedAt: instant(nowMs + hourMs),
        sources: [{ ...source, log: { ...log, behindBytes: 99, idle: true } }],
      }),
      { ...one, readAt: instant(nowMs + hourMs) },
    );
    expect(after).toBe(before);
    expect(JSON.parse(before)).toBeTypeOf("object");
  });

  it("moves with every fact a plan is made from", () => {
    const seen = [
      of(actualOf({ jobs })),
      of(actualOf({ jobs: jobs.slice(1) })),
      of(actualOf({ jobs: jobs.map((j) => ({ ...j, ours: false })) })),
      of(actualOf({ jobs, revision: "new" })),
      of(actualOf({ jobs, stores: [{ ...store, identity: "missing" }] })),
      of(actualOf({ jobs, sources: [{ ...source, reachable: false }] })),
      of(actualOf({ jobs }), catalogue([])),
      of(actualOf({ jobs }), { ...one, complete: false }),
    ];
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("refuses a plan whose state has moved", () => {
    const made = planOf(lone, actualOf());
    expect(() => refuseStale(made, "f")).not.toThrow();
    expect(() => refuseStale(made, "g")).toThrow(HoldfastError);
    expect(() => refuseStale(made, "g")).toThrow("has changed since the plan was made");
  });
});

describe("a change of policies", () => {
  const days = catalogue(Array.from({ length: 10 }, (_, n) => point(nowMs - (9 - n) * dayMs)));
  const difference = (base: PolicySet, head: PolicySet) =>
    planDifference({
      base,
      head,
      builtKinds: ["postgresql"],
      catalogues: new Map([["postgresql", days]]),
      nowMs: nowMs + hourMs,
    });

  it("names the points it would let go and those it would keep again", () => {
    const shorter = setOf(policy({ retention: { name: "short", keep: { daily: 5 } } }));
    const less = difference(lone, shorter);
    expect(less.points[0]?.newlyExpired.map((p) => p.id)).toEqual(
      days.points.slice(3, 5).map((p) => p.manifest.id),
    );
    expect(less.points[0]?.newlyExpired[0]?.reason).toContain("daily 5");
    expect(difference(shorter, lone).points[0]?.newlyKept).toHaveLength(2);
    expect(difference(lone, lone)).toEqual({
      jobs: { created: [], updated: [], removed: [] },
      points: [],
      notes: [],
    });
  });

  it("says that the points of a removed or moved policy stay", () => {
    const removed = difference(lone, setOf());
    expect(removed.jobs.removed).toHaveLength(4);
    expect(removed.points).toEqual([]);
    expect(removed.notes[0]?.message).toContain("its 10 recovery points stay");
    const moved = difference(lone, setOf(policy({ store: { name: "primary", prefix: "new/" } })));
    expect(moved.notes[0]?.message).toContain("stay");
  });
});
