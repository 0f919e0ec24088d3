/** What failed inside a report's time, and the proof that closed it. That it was seen no more closes nothing. */
import type { Verdict } from "../catalogue/manifest.ts";
import { mendingOf } from "../health/mending.ts";
import type { ConditionKind } from "../state/health.ts";
import type { Run } from "../state/job.ts";
import type { Episode, PolicyReport } from "./input.ts";

/** Looking for the proof of each costs a walk through the catalogue; older ones are counted alone. */
const mostFailures = 50;

export interface ReportedFailure {
  readonly at: string;
  /** When a condition was seen no more; null for what happened at one instant. */
  readonly endedAt: string | null;
  /** The run's key, the point and level of a verification, or the condition that held. */
  readonly what: string;
  readonly said: string;
  readonly exitStatus: number | null;
  /** What proved that it is mended; null while nothing did. */
  readonly closedBy: string | null;
  /** What to do; empty once it is closed. */
  readonly next: string;
}

export interface Failures {
  readonly count: number;
  /** Newest first, at most 50. */
  readonly newest: readonly ReportedFailure[];
}

const conditionOf: Readonly<Partial<Record<Run["kind"], ConditionKind>>> = {
  capture: "backup-failed",
  log: "log-behind",
  verify: "verification-failed",
};
const verbOf = { capture: "backup", log: "wal", verify: "verify", prune: "prune", report: "report" } as const;

/**
 * Failed and lost runs, verifications that failed, and conditions that held and are over. A run that carried out
 * such a verification is left out; what holds still is told as a condition.
 */
export function failuresOf(entry: PolicyReport, fromAt: string): Failures {
  const verdicts = (entry.catalogue?.points ?? [])
    .flatMap((p) => p.verdicts)
    .filter((v) => !v.ok && v.at >= fromAt);
  const runs = entry.runs.filter(
    (r) =>
      (r.outcome === "failed" || r.outcome === "lost") &&
      !(r.kind === "verify" && verdicts.some((v) => isWithin(v.at, r))),
  );
  const found = [
    ...runs.map((run) => ({ at: run.startedAt, of: () => ofRun(entry, run), key: run.key })),
    ...verdicts.map((v) => ({ at: v.at, of: () => ofVerdict(entry, v), key: v.point })),
    ...entry.episodes.flatMap((e) =>
      e.toAt === undefined
        ? []
        : [{ at: e.fromAt, of: () => ofEpisode(entry, e, e.toAt ?? e.fromAt), key: e.kind }],
    ),
  ].sort((a, b) => order(b.at, a.at) || order(a.key, b.key));
  return { count: found.length, newest: found.slice(0, mostFailures).map((f) => f.of()) };
}

function ofVerdict(entry: PolicyReport, verdict: Verdict): ReportedFailure {
  const bad = verdict.checks.find((c) => !c.ok);
  const ms = Date.parse(verdict.at);
  const failure = { when: "verification-failed", sinceMs: ms, heldMs: ms } as const;
  const mending = mendingOf(entry.policy, entry.catalogue, failure, "first");
  return {
    at: verdict.at,
    endedAt: null,
    what: `verify ${verdict.point} --level ${verdict.asked}`,
    said: bad === undefined ? `level ${verdict.level} of ${verdict.asked}` : `${bad.name}: ${bad.detail}`,
    exitStatus: null,
    closedBy: mending.isProved ? mending.text : null,
    next: mending.next,
  };
}

function ofEpisode(entry: PolicyReport, episode: Episode, endedAt: string): ReportedFailure {
  const mending = mendingOf(
    entry.policy,
    entry.catalogue,
    { when: episode.kind, sinceMs: Date.parse(episode.fromAt), heldMs: Date.parse(endedAt) },
    "first",
  );
  return {
    at: episode.fromAt,
    endedAt,
    what: episode.kind,
    said: episode.message,
    exitStatus: null,
    closedBy: mending.isProved ? mending.text : null,
    next: mending.next,
  };
}

function ofRun(entry: PolicyReport, run: Run): ReportedFailure {
  const facts = {
    at: run.startedAt,
    endedAt: null,
    what: run.key,
    said: run.message ?? (run.outcome === "lost" ? "ended without a result" : "nothing"),
    exitStatus: run.exitStatus ?? null,
  };
  const when = conditionOf[run.kind];
  const later = entry.runs.find(
    (r) => r.key === run.key && r.outcome === "succeeded" && r.startedAt > run.startedAt,
  );
  if (when === undefined) {
    const next = run.kind === "report" ? "holdfast report" : `holdfast ${verbOf[run.kind]} ${run.policy}`;
    return later === undefined
      ? { ...facts, closedBy: null, next }
      : { ...facts, closedBy: `the run of ${later.startedAt} succeeded.`, next: "" };
  }
  const ms = Date.parse(run.finishedAt ?? run.startedAt);
  const mending = mendingOf(entry.policy, entry.catalogue, { when, sinceMs: ms, heldMs: ms }, "first");
  return { ...facts, closedBy: mending.isProved ? mending.text : null, next: mending.next };
}

function isWithin(at: string, run: Run): boolean {
  return at >= run.startedAt && (run.finishedAt === undefined || at <= run.finishedAt);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
