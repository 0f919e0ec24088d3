/** A report's input with something in every section: two policies over four weeks, made by hand. */
import type { RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { compactInstant, instant } from "../../../src/catalogue/instant.ts";
import type { Verdict } from "../../../src/catalogue/manifest.ts";
import { judge } from "../../../src/health/judge.ts";
import type { Policy } from "../../../src/policy/model.ts";
import type { PolicyReport, ReportInput } from "../../../src/report/input.ts";
import type { Run } from "../../../src/state/job.ts";
import { catalogue, dayMs, nowMs, point, policy, reportInput, verdict } from "./fixtures.ts";

const hourMs = 3_600_000;
const nightMs = Date.parse("2026-11-22T02:00:00.000Z");

function proof(of: RecoveryPoint, atMs: number, level: Verdict["level"], change: Partial<Verdict> = {}) {
  const { id, policy } = of.manifest;
  return verdict(atMs, level, { policy, point: id, manifestSha256: of.manifestSha256, ...change });
}

function withVerdicts(of: RecoveryPoint, ...verdicts: readonly Verdict[]): RecoveryPoint {
  return { ...of, verdicts };
}

function entryOf(of: Policy, points: readonly RecoveryPoint[], change: Partial<PolicyReport>): PolicyReport {
  const stored = catalogue(points, of.name);
  return {
    policy: of,
    health: judge({ policy: of, keys: [], catalogue: stored, jobs: [], nowMs }),
    catalogue: stored,
    runs: [],
    prune: [],
    episodes: [],
    drills: points
      .flatMap((p) => p.verdicts)
      .filter((v) => v.asked >= 4 && v.at >= instant(nowMs - 7 * dayMs)),
    ...change,
  };
}

/** A base backup each night for four weeks; a week of proofs, one failure that was mended, one that is open. */
function database(): PolicyReport {
  const of = policy({
    objectives: { rpoMs: 25 * hourMs, rtoMs: hourMs, reachMs: 14 * dayMs, pitrWindowMs: 0 },
    retention: { name: "postgresql-full", keep: { daily: 7, weekly: 4 } },
  });
  const points = Array.from({ length: 28 }, (_, day) =>
    point(nightMs - (27 - day) * dayMs, { sizeBytes: (9 + day / 10) * 1024 ** 3 }),
  ).filter((_, day) => day !== 24);
  const measured = {
    rpoSeconds: 31.25,
    rtoSeconds: 914,
    targetAt: instant(nowMs - 30 * hourMs),
    lastCanaryAt: instant(nowMs - 30 * hourMs - 31_250),
    restoredBytes: 9 * 1024 ** 3,
    seed: "4c2d9a1f",
  };
  const bad = { asked: 2, checks: [{ name: "bytes", ok: false, detail: "an object differs" }] } as const;
  const marked = points.map((p, index): RecoveryPoint => {
    const ms = Date.parse(p.manifest.slotAt) + 6 * hourMs;
    if (index === 20) return withVerdicts(p, proof(p, ms, 1, bad));
    if (index === 21) return withVerdicts(p, proof(p, ms, 1, bad), proof(p, ms + hourMs, 5, { measured }));
    if (index >= 24) return withVerdicts(p, proof(p, ms - 4 * hourMs, 5, { measured }));
    return index % 5 === 0 ? withVerdicts(p, proof(p, ms, 3)) : p;
  });
  const tombstone = {
    apiVersion: "holdfast.dev/v1",
    kind: "Tombstone",
    policy: of.name,
    at: instant(nowMs - hourMs),
    notBefore: instant(nowMs + dayMs),
    reason: "no place in daily 7, weekly 4",
    manifestSha256: "b".repeat(64),
  } as const;
  const hold = {
    apiVersion: "holdfast.dev/v1",
    kind: "Hold",
    policy: of.name,
    at: instant(nowMs - dayMs),
    by: "ann",
    reason: "an audit",
    until: null,
  } as const;
  const kept = marked.map((p, index): RecoveryPoint => {
    const about = { point: p.manifest.id };
    if (index === 2) return { ...p, tombstone: { ...tombstone, ...about } };
    return index === 4 ? { ...p, hold: { ...hold, ...about } } : p;
  });
  const gone = nightMs - 30 * dayMs;
  return entryOf(of, kept, {
    prune: [
      {
        point: compactInstant(gone),
        reason: tombstone.reason,
        at: instant(nowMs - 2 * dayMs),
        removedBytes: 8.5 * 1024 ** 3,
        consistentAt: instant(gone + 230_000),
        finishedAt: instant(gone + 240_000),
      },
      {
        point: compactInstant(nightMs - 25 * dayMs),
        reason: tombstone.reason,
        at: instant(nowMs - hourMs),
        removedBytes: 0,
      },
    ],
  });
}

/** A snapshot each hour with a hole of seven hours; one run failed, and a restore of a later one closed it. */
function cache(): PolicyReport {
  const of = policy({
    name: "redis",
    component: "redis",
    objectives: { rpoMs: 75 * 60_000, rtoMs: 600_000, reachMs: 2 * dayMs, pitrWindowMs: 0 },
    schedule: { kind: "cron", cron: "7 * * * *", timeZone: "Etc/UTC" },
    retention: { name: "hourly", keep: { hourly: 48, daily: 3 } },
  });
  const holeMs = nightMs - 20 * hourMs;
  const points = Array.from({ length: 72 }, (_, hour) =>
    point(nightMs + 3 * hourMs - (71 - hour) * hourMs, {
      policy: of.name,
      component: "redis",
      sizeBytes: 5_000_000 + hour * 1000,
      tools: { "redis-cli": "7.0.15" },
    }),
  ).filter((p) => {
    const ms = Date.parse(p.manifest.slotAt);
    return ms < holeMs || ms > holeMs + 6 * hourMs;
  });
  const newest = points.at(-1) as RecoveryPoint;
  const late = withVerdicts(
    newest,
    proof(newest, nowMs - 120_000, 5, { measured: { rtoSeconds: 4.5, restoredBytes: 5_000_000 } }),
  );
  const run = (change: Partial<Run>): Run => ({
    key: "redis/capture",
    policy: of.name,
    kind: "capture",
    slotAt: instant(holeMs),
    startedAt: instant(holeMs + 1000),
    finishedAt: instant(holeMs + 3000),
    outcome: "failed",
    exitStatus: 6,
    message: "the server does not answer",
    ...change,
  });
  return entryOf(of, [...points.slice(0, -1), late], {
    episodes: [
      {
        kind: "rpo-missed",
        severity: "critical",
        message: "a disaster now would cost too much",
        fromAt: instant(holeMs + hourMs),
        toAt: instant(holeMs + 7 * hourMs),
      },
      {
        kind: "store-unreachable",
        severity: "critical",
        message: "the store did not answer",
        fromAt: instant(nowMs - 60_000),
        toAt: instant(nowMs - 30_000),
      },
      {
        kind: "source-drift",
        severity: "warning",
        message: "a setting differs",
        fromAt: instant(nowMs - hourMs),
      },
    ],
    runs: [
      run({}),
      run({ startedAt: instant(nowMs - hourMs), outcome: "succeeded" }),
      run({ key: "redis/prune", kind: "prune", startedAt: instant(nowMs - hourMs), outcome: "lost" }),
    ],
  });
}

export function sampleInput(change: Partial<ReportInput> = {}): ReportInput {
  return reportInput([database(), cache()], {
    fromAt: instant(nowMs - 7 * dayMs),
    remarks: ["asked for by an audit"],
    waivers: [
      { rule: "store/one-domain", document: "redis", reason: "a cache", owner: "ann", until: "2026-11-30" },
      { rule: "policy/suspended", document: "minio", reason: "a move", owner: "bob", until: "2026-11-01" },
      { rule: "encryption/missing", document: "minio", reason: "models", owner: "bob", until: "2027-06-30" },
    ],
    notBuilt: [{ policy: "volumes", component: "kubernetes" }],
    existing: ["2026/W46", "2026/W45"],
    ...change,
  });
}
