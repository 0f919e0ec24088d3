/** Values as the rooms below give them, made by hand; every field can be replaced. */
import type { Catalogue, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { compactInstant, instant } from "../../../src/catalogue/instant.ts";
import type { Manifest, Verdict } from "../../../src/catalogue/manifest.ts";
import type { Policy, ProofLevel } from "../../../src/policy/model.ts";
import type { PolicyReport, ReportInput } from "../../../src/report/input.ts";
import type { PolicyHealth } from "../../../src/state/health.ts";

export const nowMs = Date.parse("2026-11-22T05:12:00.000Z");
export const dayMs = 86_400_000;

export function verdict(atMs: number, level: Verdict["level"], change: Partial<Verdict> = {}): Verdict {
  const asked = change.asked ?? (Math.max(level, 0) as ProofLevel);
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Verdict",
    policy: "postgresql",
    point: "20261121T020000Z",
    level,
    asked,
    ok: level >= asked,
    at: instant(atMs),
    durationMs: 61_000,
    checks: [{ name: "server started", ok: level >= asked, detail: "accepts connections" }],
    measured: {},
    manifestSha256: "a".repeat(64),
    ...change,
  };
}

export function point(
  slotMs: number,
  change: Partial<Manifest> = {},
  verdicts: readonly Verdict[] = [],
): RecoveryPoint {
  const manifest: Manifest = {
    apiVersion: "holdfast.dev/v1",
    kind: "RecoveryPoint",
    id: compactInstant(slotMs),
    policy: "postgresql",
    component: "postgresql",
    cluster: "bud-prod",
    revision: "4c2d9a1",
    runId: "r1",
    slotAt: instant(slotMs),
    startedAt: instant(slotMs + 1000),
    finishedAt: instant(slotMs + 240_000),
    consistentAt: instant(slotMs + 230_000),
    method: "base-backup",
    capture: "full",
    parents: [],
    artifacts: [],
    sizeBytes: 9 * 1024 ** 3,
    filesCount: 3,
    encryption: { suite: "age", recipients: ["runner", "escrow"] },
    tools: {},
    server: { version: "15.8", identity: "7" },
    restoreNeeds: { diskBytes: 1, memoryBytes: 1 },
    engine: {},
    previous: null,
    signature: null,
    ...change,
  };
  return { manifest, manifestSha256: "b".repeat(64), storedAt: manifest.finishedAt, verdicts };
}

export function catalogue(points: readonly RecoveryPoint[], policy = "postgresql"): Catalogue {
  return { policy, points, complete: true, remarks: [], unreadable: [], readAt: instant(nowMs) };
}

export function policy(change: Partial<Policy> = {}): Policy {
  return {
    name: "postgresql",
    component: "postgresql",
    owner: "platform",
    suspended: false,
    connection: {},
    failureDomain: "us-east-1",
    objectives: { rpoMs: 300_000, rtoMs: 3_600_000, reachMs: 30 * dayMs, pitrWindowMs: 7 * dayMs },
    schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" },
    capture: { method: "base-backup", codec: "gzip", level: 6, options: {} },
    store: { name: "primary", prefix: "postgresql/" },
    encryption: { recipients: ["runner", "escrow"] },
    retention: { name: "postgresql-full", keep: { daily: 7 } },
    prune: { floor: 1, graceMs: dayMs, maxShare: 0.1 },
    verification: {
      name: "standard",
      minimumSizeRatio: 0.8,
      escrowEveryMs: 180 * dayMs,
      checks: [
        { name: "backup exists", level: 0, everyMs: dayMs, automated: "yes" },
        { name: "full restore", level: 5, everyMs: 30 * dayMs, automated: "partial" },
      ],
    },
    assertions: [],
    canaryEveryMs: 30_000,
    onDrift: "mend",
    deadlineMs: 3_600_000,
    ...change,
  };
}

export function health(change: Partial<PolicyHealth> = {}): PolicyHealth {
  return {
    policy: "postgresql",
    component: "postgresql",
    pointsCount: 7,
    sizeBytes: 63 * 1024 ** 3,
    newest: { id: "20261122T020000Z", at: "2026-11-22T02:04:00.000Z", sizeBytes: 9 * 1024 ** 3 },
    oldest: { id: "20261116T020000Z", at: "2026-11-16T02:04:00.000Z" },
    proven: { id: "20261121T020000Z", level: 5, at: "2026-11-21T04:00:00.000Z" },
    proof: "proved",
    checks: [
      {
        name: "backup exists",
        level: 0,
        everyMs: dayMs,
        state: "proved",
        verdict: verdict(nowMs - 3_600_000, 0),
      },
      {
        name: "full restore",
        level: 5,
        everyMs: 30 * dayMs,
        state: "proved",
        verdict: verdict(nowMs - dayMs, 5),
      },
    ],
    ranges: [{ fromAt: "2026-11-16T02:04:00.000Z", toAt: "2026-11-22T05:11:00.000Z" }],
    exposureSeconds: 60,
    measured: { rpoSeconds: 31, rtoSeconds: 914, at: "2026-11-21T04:00:00.000Z" },
    target: { rpoSeconds: 300, rtoSeconds: 3600 },
    conditions: [],
    ...change,
  };
}

export function entry(change: Partial<PolicyReport> = {}): PolicyReport {
  const points = Array.from({ length: 7 }, (_, day) =>
    point(Date.parse("2026-11-16T02:00:00.000Z") + day * dayMs),
  );
  return {
    policy: policy(),
    health: health(),
    catalogue: catalogue(points),
    runs: [],
    prune: [],
    episodes: [],
    drills: [],
    ...change,
  };
}

export function reportInput(
  policies: readonly PolicyReport[],
  change: Partial<ReportInput> = {},
): ReportInput {
  return {
    cluster: "bud-prod",
    revision: "4c2d9a1",
    seed: "4c2d9a1f",
    fromAt: "2026-11-16T00:00:00.000Z",
    toAt: "2026-11-22T05:12:00.000Z",
    nowMs,
    platformName: "local",
    policies,
    notBuilt: [],
    waivers: [],
    remarks: [],
    existing: [],
    ...change,
  };
}

/** Texts that have broken somebody's output before. */
export const hostile: readonly string[] = [
  "a|b",
  "`tick` ``two``",
  "<script>alert(1)</script>",
  "]]> --> <!-- &amp; &#0;",
  "quote \" and ' end",
  "line\nbreak\r\n| --- |\n# heading",
  "[link](https://example.org) ![x](y) @team #12",
  "back\\slash \\| pipe",
  "‮right to left",
  "\u0000\u0007\u001b[31m",
  "\ud800 lone",
  "日本語 🦊 é",
  "__proto__",
  "",
  " ",
  "x".repeat(5000),
];
