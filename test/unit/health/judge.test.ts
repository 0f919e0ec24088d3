/** Every condition, raised by the facts it speaks of and silent without them. */
import { describe, expect, it } from "vitest";
import type { Catalogue, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import { firedAlerts } from "../../../src/health/alerts.ts";
import { judgeReports } from "../../../src/health/fleet.ts";
import { type JudgeInput, judge } from "../../../src/health/judge.ts";
import type { Policy, ReconcilerSettings } from "../../../src/policy/model.ts";
import type { ActualJob, LogFlow, Run, SourceFacts, StoreFacts } from "../../../src/state/job.ts";
import { archive, basePoint, catalogueOf, minuteMs, run, segment, startMs } from "../recovery/fixtures.ts";
import { catalogue, dayMs, nowMs, point, policy, verdict } from "../report/fixtures.ts";

const hourMs = 3_600_000;
const plain = policy({
  objectives: { rpoMs: 25 * hourMs, rtoMs: hourMs, reachMs: 7 * dayMs, pitrWindowMs: 0 },
});
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
const flow: LogFlow = { behindBytes: 0, retainedBytes: 0, lost: false, idle: false };
/** Ten nightly points, the newest three hours old and proved by both rows of the checklist. */
const nightly: readonly RecoveryPoint[] = Array.from({ length: 10 }, (_, n) => {
  const slotMs = nowMs - 3 * hourMs - (9 - n) * dayMs;
  return point(slotMs, {}, n === 9 ? [verdict(nowMs - hourMs, 5, { measured: { rtoSeconds: 60 } })] : []);
});

function heldJob(
  kind: "capture" | "verify" | "prune",
  runs: readonly Partial<Run>[],
  change: Partial<ActualJob> = {},
): ActualJob {
  const key = `postgresql/${kind}`;
  return {
    job: {
      key,
      policy: "postgresql",
      kind,
      schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" },
      argv: [kind, "postgresql"],
      deadlineMs: hourMs,
      suspended: false,
      group: "postgresql",
    },
    revision: "4c2d9a1",
    ours: true,
    running: false,
    since: instant(nowMs - 30 * dayMs),
    runs: runs.map((r) => ({
      key,
      policy: "postgresql",
      kind,
      slotAt: instant(nowMs - hourMs),
      startedAt: instant(nowMs - hourMs),
      outcome: "succeeded",
      ...r,
    })),
    ...change,
  };
}

function conditions(change: Partial<JudgeInput> = {}): readonly string[] {
  const input = {
    policy: plain,
    keys: [],
    catalogue: catalogue(nightly),
    source,
    store,
    jobs: [],
    nowMs,
    ...change,
  };
  return judge(input).conditions.map((c) => c.kind);
}

const withLog: Policy = {
  ...plain,
  objectives: { rpoMs: 5 * minuteMs, rtoMs: hourMs, reachMs: 7 * dayMs, pitrWindowMs: 7 * dayMs },
  log: {
    mode: "stream",
    store: { name: "primary", prefix: "wal/" },
    retention: { name: "wal", keep: { days: 7 } },
    pushEveryMs: 2000,
    slot: "holdfast",
  },
};

describe("the runs of captures", () => {
  const of = (jobs: readonly ActualJob[]) =>
    judge({ policy: plain, keys: [], catalogue: catalogue(nightly), source, store, jobs, nowMs }).captures;

  it("are told by the newest of the capturing jobs and the next time of any", () => {
    const older = { startedAt: instant(nowMs - 9 * hourMs), outcome: "failed" } as const;
    const full = heldJob("capture", [older]);
    const weekly = { kind: "cron", cron: "0 1 * * 0", timeZone: "Etc/UTC" } as const;
    const jobs = [
      heldJob("capture", [older, {}]),
      { ...full, job: { ...full.job, schedule: weekly } },
      heldJob("verify", [{ startedAt: instant(nowMs), outcome: "failed" }]),
    ];
    expect(of(jobs)).toEqual({
      running: false,
      last: { at: instant(nowMs - hourMs), outcome: "succeeded" },
      nextAt: "2026-11-23T02:00:00.000Z",
    });
  });

  it("have no next one where the policy is suspended or a resident takes them, and are not there without a job", () => {
    const suspended = heldJob("capture", []);
    expect(of([{ ...suspended, job: { ...suspended.job, suspended: true } }])).toEqual({ running: false });
    const resident = heldJob("capture", [], { running: true });
    const all = { ...resident.job, schedule: { kind: "resident" } } as const;
    expect(of([{ ...resident, job: all }])).toEqual({ running: true });
    expect(of([heldJob("prune", [{}])])).toBeUndefined();
  });
});

describe("a policy where all is well", () => {
  it("has no condition and is proved", () => {
    const health = judge({
      keys: [],
      policy: plain,
      catalogue: catalogue(nightly),
      source,
      store,
      jobs: [heldJob("capture", [{}])],
      nowMs,
    });
    expect(health.conditions).toEqual([]);
    expect(health.proof).toBe("proved");
    expect(health).toMatchObject({ pointsCount: 10, proven: { level: 5 }, measured: { rtoSeconds: 60 } });
  });
});

describe("the points", () => {
  it("are missing a day and an hour after the last of a daily schedule", () => {
    const later = (ms: number) => conditions({ nowMs: nowMs + ms, jobs: [] });
    expect(later(21.5 * hourMs)).not.toContain("backup-missing");
    expect(later(22.2 * hourMs)).toContain("backup-missing");
  });

  it("are missing where there never was one, but not on the first day", () => {
    const empty = { catalogue: catalogue([]) };
    expect(conditions({ ...empty, jobs: [heldJob("capture", [])] })).toContain("backup-missing");
    const young = heldJob("capture", [], { since: instant(nowMs - hourMs) });
    expect(conditions({ ...empty, jobs: [young] })).not.toContain("backup-missing");
    expect(conditions(empty)).toContain("backup-missing");
  });

  it("are not missed where the tool's own schedule makes backups, and never taken for proved", () => {
    const own = { ...plain, component: "kubernetes" as const };
    const told = (method: string) =>
      conditions({
        catalogue: catalogue([]),
        jobs: [],
        policy: { ...own, capture: { ...own.capture, method } },
      });
    expect(told("velero")).toContain("backup-missing");
    expect(told("velero-schedule")).not.toContain("backup-missing");
    expect(told("velero-schedule")).toContain("unproven");
  });

  it("are too small under the share of the seven before of the same kind", () => {
    const sized = (sizeBytes: number, capture: "full" | "incremental" = "full") =>
      catalogue([...nightly.slice(0, 9), point(nowMs - 3 * hourMs, { sizeBytes, capture })]);
    expect(conditions({ catalogue: sized(7 * 1024 ** 3) })).toContain("backup-too-small");
    expect(conditions({ catalogue: sized(7.3 * 1024 ** 3) })).not.toContain("backup-too-small");
    expect(conditions({ catalogue: sized(1000, "incremental") })).not.toContain("backup-too-small");
  });

  it("do not reach back far enough, once the policy is old enough for that", () => {
    const few = { catalogue: catalogue(nightly.slice(-3)) };
    const young = heldJob("capture", [{}], { since: instant(nowMs - 5 * dayMs) });
    expect(conditions({ ...few, jobs: [heldJob("capture", [{}])] })).toContain("reach-missed");
    expect(conditions({ ...few, jobs: [young] })).not.toContain("reach-missed");
    expect(conditions()).not.toContain("reach-missed");
    const held = (count: number) =>
      conditions({ catalogue: catalogue(nightly.slice(-count)), jobs: [heldJob("capture", [{}])] });
    expect(held(7)).not.toContain("reach-missed");
    expect(held(6)).toContain("reach-missed");
  });
});

describe("proof", () => {
  const bare = (verdicts: RecoveryPoint["verdicts"]): Catalogue =>
    catalogue([...nightly.slice(0, 9), { ...(nightly[9] as RecoveryPoint), verdicts }]);
  const state = (verdicts: RecoveryPoint["verdicts"]) =>
    judge({ policy: plain, keys: [], catalogue: bare(verdicts), jobs: [], nowMs });

  it("is never good without a verdict for every row", () => {
    expect(state([]).proof).toBe("unproven");
    expect(state([verdict(nowMs, 4)]).proof).toBe("unproven");
    expect(state([]).conditions.map((c) => c.kind)).toContain("unproven");
  });

  it("is never good without a point or without a checklist", () => {
    const health = judge({ policy: plain, keys: [], catalogue: catalogue([]), jobs: [], nowMs });
    expect(health.proof).toBe("unproven");
    const none = { ...plain, verification: { ...plain.verification, checks: [] } };
    const unchecked = judge({ policy: none, keys: [], catalogue: catalogue(nightly), jobs: [], nowMs });
    expect(unchecked.proof).toBe("unproven");
    expect(unchecked.conditions.map((c) => c.kind)).toContain("unproven");
  });

  it("grows old", () => {
    expect(state([verdict(nowMs - 2 * dayMs, 5)]).proof).toBe("overdue");
    expect(state([verdict(nowMs - 2 * dayMs, 5), verdict(nowMs, 0)]).proof).toBe("proved");
  });

  it("fails with a newer failure, and stays for the levels it did reach", () => {
    const failed = state([verdict(nowMs - hourMs, 5), verdict(nowMs, 3, { asked: 5, ok: false })]);
    expect(failed.proof).toBe("failed");
    expect(failed.checks.map((c) => c.state)).toEqual(["proved", "failed"]);
    expect(failed.proven).toBeUndefined();
    const condition = failed.conditions.find((c) => c.kind === "verification-failed");
    expect(condition?.message).toContain("server started");
  });

  it("tells when a restore took or lost more than allowed", () => {
    const slow = state([verdict(nowMs, 5, { measured: { rtoSeconds: 4000, rpoSeconds: 200_000 } })]);
    expect(slow.conditions.map((c) => c.kind)).toEqual(expect.arrayContaining(["rto-missed", "rpo-missed"]));
  });
});

describe("the log", () => {
  const logNowMs = startMs + 60 * minuteMs;
  const judged = (last: number, change: Partial<JudgeInput> = {}) =>
    conditions({
      policy: withLog,
      nowMs: logNowMs,
      catalogue: catalogueOf([basePoint("00000001", 10)], archive(run("00000001", 10, last))),
      source: { ...source, log: flow },
      ...change,
    });

  it("is behind the objective when it ends too early, and not while the source writes nothing", () => {
    expect(judged(58)).not.toContain("rpo-missed");
    expect(judged(40)).toContain("rpo-missed");
    expect(judged(40, { source: { ...source, log: { ...flow, idle: true } } })).not.toContain("rpo-missed");
    expect(judged(40, { source: { ...source, log: { ...flow, idle: true, lost: true } } })).toEqual(
      expect.arrayContaining(["rpo-missed", "log-slot-lost"]),
    );
  });

  it("has a hole that is told, also behind the newest point", () => {
    const log = archive([...run("00000001", 10, 20), ...run("00000001", 22, 59)]);
    expect(judged(0, { catalogue: catalogueOf([basePoint("00000001", 10)], log) })).toContain("pitr-gap");
    const two = [basePoint("00000001", 10), basePoint("00000001", 30)];
    expect(judged(0, { catalogue: catalogueOf(two, log) })).toContain("pitr-gap");
    const late = archive([...run("00000001", 10, 57), segment("00000001", 59)]);
    expect(judged(0, { catalogue: catalogueOf(two, late) })).not.toContain("pitr-gap");
  });

  it("fills up at the source", () => {
    const near = { ...flow, retainedBytes: 600, limitBytes: 1000 };
    expect(judged(59, { source: { ...source, log: near } })).toContain("log-behind");
    expect(judged(59, { source: { ...source, log: { ...near, retainedBytes: 400 } } })).not.toContain(
      "log-behind",
    );
    expect(judged(59, { source: { ...source, log: { ...flow, behindBytes: 2 ** 30 } } })).toContain(
      "log-behind",
    );
  });
});

describe("what lies outside the catalogue", () => {
  it("is told where the store cannot be reached or belongs to somebody else", () => {
    const { catalogue: _, ...unread } = { policy: plain, keys: [], catalogue, jobs: [], nowMs };
    expect(judge(unread).conditions.map((c) => c.kind)).toContain("store-unreachable");
    expect(judge(unread).proof).toBe("unproven");
    expect(conditions({ store: { ...store, identity: "foreign", detail: "cluster b" } })).toContain(
      "store-identity",
    );
    expect(conditions({ store: { ...store, identity: "missing" } })).toContain("store-identity");
    const unlocked = { ...store, promisedLockDays: 30, lockDays: 7 };
    expect(conditions({ store: unlocked })).toContain("store-unlocked");
    expect(conditions({ store: { ...unlocked, lockDays: 30 } })).not.toContain("store-unlocked");
    // Who may not ask knows nothing, and claims nothing.
    const { lockDays: _days, ...unknown } = unlocked;
    expect(conditions({ store: unknown })).not.toContain("store-unlocked");
    const half = { ...catalogue(nightly), complete: false, remarks: ["listing cut short"] };
    expect(conditions({ catalogue: half })).toContain("catalogue-incomplete");
    const damaged = { ...catalogue(nightly), unreadable: [{ id: "x", reason: "no JSON" }] };
    expect(conditions({ catalogue: damaged })).toContain("catalogue-incomplete");
  });

  it("is told where the source is away or has drifted", () => {
    expect(conditions({ source: { ...source, reachable: false, detail: "refused" } })).toContain(
      "source-unreachable",
    );
    const drift = {
      setting: "wal_level",
      wanted: "replica",
      found: "minimal",
      consequence: "no log",
      mend: "alter system",
      mendable: false,
      severity: "critical",
    } as const;
    const health = judge({
      keys: [],
      policy: plain,
      catalogue: catalogue(nightly),
      source: { ...source, drift: [drift] },
      store,
      jobs: [],
      nowMs,
    });
    expect(health.conditions[0]).toMatchObject({
      kind: "source-drift",
      severity: "critical",
      hint: "alter system",
    });
  });

  it("is told where a job failed, was lost or was changed; a later success ends it", () => {
    const failed = { outcome: "failed", exitStatus: 6, code: "tool-failed", message: "no space" } as const;
    const health = judge({
      keys: [],
      policy: plain,
      catalogue: catalogue(nightly),
      jobs: [heldJob("capture", [failed])],
      nowMs,
    });
    expect(health.conditions.find((c) => c.kind === "backup-failed")?.message).toContain(
      "exit status 6: tool-failed: no space",
    );
    expect(conditions({ jobs: [heldJob("capture", [{ outcome: "lost" }])] })).toContain("backup-failed");
    expect(conditions({ jobs: [heldJob("verify", [failed])] })).toContain("verification-failed");
    expect(conditions({ jobs: [heldJob("capture", [{ outcome: "running" }, failed])] })).toContain(
      "backup-failed",
    );
    expect(conditions({ jobs: [heldJob("capture", [{}, failed])] })).toEqual([]);
    expect(conditions({ jobs: [heldJob("capture", [{}], { ours: false })] })).toContain("job-drift");
  });

  it("leaves a suspended policy its proof and asks nothing of its points", () => {
    const kinds = conditions({ policy: { ...plain, suspended: true }, nowMs: nowMs + 40 * dayMs });
    expect(kinds).toContain("suspended");
    expect(kinds).toContain("verification-overdue");
    expect(kinds).not.toContain("backup-missing");
  });
});

describe("order, alerts and reports", () => {
  it("puts the worst first", () => {
    const health = judge({
      keys: [],
      policy: { ...plain, suspended: true },
      jobs: [heldJob("capture", [{}], { ours: false })],
      nowMs,
    });
    const rank = { critical: 0, warning: 1, info: 2 };
    const ranks = health.conditions.map((c) => rank[c.severity]);
    expect(ranks).toEqual([...ranks].sort());
    expect(ranks.length).toBeGreaterThan(2);
  });

  it("fires the alerts whose trigger holds and no other", () => {
    const rule = (when: string) => ({
      name: when,
      condition: "",
      when,
      severity: "critical" as const,
      receivers: [],
    });
    const { conditions: found } = judge({
      policy: plain,
      keys: [],
      catalogue: catalogue([]),
      store,
      jobs: [],
      nowMs,
    });
    const fired = firedAlerts(found, [rule("backup-missing"), rule("backup-too-small")]);
    expect(fired.map((f) => f.alert.name)).toEqual(["backup-missing"]);
  });

  it("calls a report overdue, also the first", () => {
    const reports = {
      cron: "0 6 * * 1",
      timeZone: "Etc/UTC",
      path: "reports",
      branch: "main",
      overdueMs: 8 * dayMs,
    };
    const settings = { name: "holdfast", reports } as ReconcilerSettings;
    const judged = (sinceDays: number, lastDays?: number) =>
      judgeReports({
        settings,
        sinceMs: nowMs - sinceDays * dayMs,
        nowMs,
        ...(lastDays === undefined ? {} : { lastPublishedAtMs: nowMs - lastDays * dayMs }),
      }).map((c) => c.kind);
    expect(judged(3)).toEqual([]);
    expect(judged(9)).toEqual(["report-overdue"]);
    expect(judged(30, 7)).toEqual([]);
    expect(judged(30, 9)).toEqual(["report-overdue"]);
  });
});
