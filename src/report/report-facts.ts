/** The report's JSON: the same facts without rounding and without words. The markdown's numbers link into it. */
import { allowedShare } from "../health/error-budget.ts";
import { describeKeep } from "../retention/calendar.ts";
import type { ReportInput } from "./input.ts";
import { listPoints, pointStatus } from "./json.ts";
import type { JudgedPolicy } from "./judged.ts";
import { overallVerdict } from "./verdict.ts";
import type { KindWithoutPolicy } from "./without-policy.ts";

/** With more, the oldest are counted alone: their manifests lie in the store. */
const mostPoints = 2000;

export function reportFacts(
  input: ReportInput,
  judged: readonly JudgedPolicy[],
  name: string,
  withoutPolicy: readonly KindWithoutPolicy[],
): Readonly<Record<string, unknown>> {
  const verdict = overallVerdict(
    input.policies.map((p) => p.health),
    input.notBuilt,
  );
  const pruned = input.policies.flatMap((p) => p.prune);
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Report",
    name,
    cluster: input.cluster,
    revision: input.revision,
    seed: input.seed,
    fromAt: input.fromAt,
    toAt: input.toAt,
    writtenAt: new Date(input.nowMs).toISOString(),
    platform: input.platformName,
    previousCommit: input.previousCommit ?? null,
    ok: verdict.mood === "good",
    sentence: verdict.sentence,
    remarks: input.remarks,
    notBuilt: input.notBuilt,
    withoutPolicy,
    coverage: input.coverage ?? null,
    allowedShare,
    failuresCount: judged.reduce((sum, p) => sum + p.failures.count, 0),
    failuresOpen: judged.flatMap((p) => p.failures.newest).filter((failure) => failure.closedBy === null)
      .length,
    pruned: {
      count: pruned.length,
      removedBytes: pruned.reduce((sum, p) => sum + p.removedBytes, 0),
    },
    waivers: input.waivers,
    policies: judged.map((entry) => policyFacts(entry, input.nowMs)),
  };
}

function policyFacts(entry: JudgedPolicy, nowMs: number): Readonly<Record<string, unknown>> {
  const { policy, health, catalogue } = entry;
  const points = catalogue === undefined ? [] : listPoints([catalogue], nowMs);
  const newest = catalogue?.points.at(-1)?.manifest;
  return {
    policy: policy.name,
    component: policy.component,
    owner: policy.owner,
    server: newest?.server.version ?? null,
    tools: newest?.tools ?? {},
    health,
    budget: entry.budget ?? null,
    restores: entry.restores,
    catalogueRead: catalogue !== undefined,
    keep: describeKeep(policy.retention.keep),
    points: points.slice(0, mostPoints),
    pointsLeftOut: Math.max(0, points.length - mostPoints),
    held: (catalogue?.points ?? []).filter((p) => pointStatus(p, nowMs) === "held").map((p) => p.manifest.id),
    prune: entry.prune,
    drills: entry.drills,
    calendar: entry.days,
    failures: entry.failures.newest,
    failuresLeftOut: entry.failures.count - entry.failures.newest.length,
    failedRuns: entry.runs.filter((r) => r.outcome === "failed" || r.outcome === "lost"),
  };
}
