/**
 * Prometheus text: the four names of the backup strategy as they are, everything else as `holdfast_*`. The
 * only labels are names from the policy files and fixed words, so that cardinality is bounded by the policies.
 * `docs/observability.md` describes every metric; a test holds both equal.
 */
import { Gauge, Registry } from "prom-client";
import type { ConditionKind, PolicyHealth, ProofState } from "../state/health.ts";
import type { LogFlow, Run } from "../state/job.ts";
import { oneLine } from "./escape.ts";
import { allWell } from "./json.ts";

export interface PolicyMetrics {
  readonly health: PolicyHealth;
  /** Newest capture that ended well. */
  readonly lastSuccess?: Run;
  /** Newest capture that has ended, however. */
  readonly lastRun?: Run;
  /** What the server says of its change log. */
  readonly log?: LogFlow;
  /** Points by status, `available`, `held`, `locked`, `expiring`, `unreadable`. */
  readonly pointsByStatus?: Readonly<Record<string, number>>;
}

export interface MetricsInput {
  readonly cluster: string;
  readonly version: string;
  readonly nowMs: number;
  readonly policies: readonly PolicyMetrics[];
  /** Documents the last revision has broken: the policy that holds on with its last good text. */
  readonly brokenPolicies: readonly string[];
  /** False while the loop is stopped or stuck. */
  readonly up: boolean;
  readonly lastPollAt?: string;
  readonly lastPollOk?: boolean;
  readonly appliedRevision?: string;
  readonly lastAppliedAt?: string;
  readonly lastReportAt?: string;
  /** As the conditions judge it; undefined where no reconciler document says when. */
  readonly isReportOverdue?: boolean;
  /** The newest commit needs a review that it does not carry. */
  readonly isReviewMissing?: boolean;
  /** Receivers nobody could reach at the last look; undefined before the first. */
  readonly undeliveredCount?: number;
}

export const proofStates: readonly ProofState[] = ["proved", "overdue", "failed", "unproven"];
const pointStatuses = ["available", "held", "locked", "expiring", "unreadable"] as const;

/** Every metric this room can give: name, help, labels. The order is the order of the text. */
export const metricFacts = {
  backup_last_success_timestamp: [
    "When the newest successful backup finished, Unix seconds.",
    ["policy", "component"],
  ],
  backup_size_bytes: ["Stored bytes of the newest recovery point.", ["policy", "component"]],
  backup_duration_seconds: ["How long the newest finished backup run took.", ["policy", "component"]],
  backup_files_count: ["Files in the newest recovery point.", ["policy", "component"]],
  holdfast_backup_last_exit_status: [
    "Exit status of the newest finished backup run; 255 when it was lost.",
    ["policy", "component"],
  ],
  holdfast_points: ["Recovery points by status.", ["policy", "component", "status"]],
  holdfast_stored_bytes: ["Stored bytes of all recovery points.", ["policy", "component"]],
  holdfast_newest_point_age_seconds: ["Age of the newest recovery point.", ["policy", "component"]],
  holdfast_oldest_point_age_seconds: [
    "Age of the oldest recovery point: how far back one can go.",
    ["policy", "component"],
  ],
  holdfast_exposure_seconds: [
    "Data, as time, that a disaster now would cost; +Inf when nothing can be restored.",
    ["policy", "component"],
  ],
  holdfast_rpo_measured_seconds: [
    "Data lost, as time, in the last measured restore.",
    ["policy", "component"],
  ],
  holdfast_rpo_target_seconds: ["Most data, as time, that a disaster may cost.", ["policy", "component"]],
  holdfast_rto_measured_seconds: ["Duration of the last measured restore.", ["policy", "component"]],
  holdfast_rto_target_seconds: ["Longest a restore may take.", ["policy", "component"]],
  holdfast_proof_state: [
    "1 for the state the policy's proof is in, 0 for the others.",
    ["policy", "component", "state"],
  ],
  holdfast_check_ok: [
    "1 while this row of the checklist is proved and young enough.",
    ["policy", "component", "check", "level"],
  ],
  holdfast_check_age_seconds: [
    "Age of the newest verdict on this row of the checklist.",
    ["policy", "component", "check", "level"],
  ],
  holdfast_log_behind_bytes: [
    "Change log written at the source and not yet in the store.",
    ["policy", "component"],
  ],
  holdfast_log_retained_bytes: ["Change log the source keeps for us.", ["policy", "component"]],
  holdfast_log_limit_bytes: ["Change log the source may keep before it drops us.", ["policy", "component"]],
  holdfast_log_lost: ["1 when the source has dropped change log we had not stored.", ["policy", "component"]],
  holdfast_conditions: ["Conditions that hold now.", ["policy", "component", "kind", "severity"]],
  holdfast_policy_broken: [
    "1 when the last revision has broken this policy and its last good text is in force.",
    ["policy"],
  ],
  holdfast_all_well: ["1 while every policy is proved and nothing critical holds.", []],
  holdfast_up: ["1 while the reconciler's loop turns and nothing in it needs somebody.", []],
  holdfast_last_poll_timestamp_seconds: ["When the policy repository was last polled, Unix seconds.", []],
  holdfast_last_poll_ok: ["1 when that poll succeeded.", []],
  holdfast_last_applied_timestamp_seconds: ["When a revision was last applied, Unix seconds.", []],
  holdfast_last_report_timestamp_seconds: ["When the last report was committed, Unix seconds.", []],
  holdfast_report_overdue: [
    "1 when the last report, or the start without any, is longer ago than it may be.",
    [],
  ],
  holdfast_review_missing: [
    "1 while the newest commit is not in force because it lacks the review it needs.",
    [],
  ],
  holdfast_alerts_undelivered: ["Receivers of the alert table that could not be told.", []],
  holdfast_info: [
    "Always 1; version, cluster and applied revision are its labels.",
    ["version", "cluster", "revision"],
  ],
} as const satisfies Record<string, readonly [help: string, labels: readonly string[]]>;

export type MetricName = keyof typeof metricFacts;

type Set = (name: MetricName, value: number | undefined, labels?: Readonly<Record<string, string>>) => void;

/** The text of one scrape. Unknown values are left out; they are never 0. */
export async function renderMetrics(input: MetricsInput): Promise<string> {
  const registry = new Registry();
  const gauges = new Map<string, Gauge<string>>();
  for (const [name, [help, labelNames]] of Object.entries(metricFacts)) {
    const gauge = new Gauge<string>({ name, help, labelNames: [...labelNames], registers: [registry] });
    // A gauge without labels begins with 0, which would be a claim.
    if (labelNames.length === 0) gauge.remove();
    gauges.set(name, gauge);
  }
  const set: Set = (name, value, labels = {}) => {
    if (value === undefined || Number.isNaN(value)) return;
    const safe = Object.entries(labels).map(([label, text]) => [label, oneLine(text, 200)] as const);
    gauges.get(name)?.set(Object.fromEntries(safe), value);
  };
  for (const policy of input.policies) setPolicy(set, policy, input.nowMs);
  for (const { health } of input.policies) set("holdfast_policy_broken", 0, { policy: health.policy });
  for (const policy of input.brokenPolicies) set("holdfast_policy_broken", 1, { policy });
  setReconciler(set, input);
  return registry.metrics();
}

function setReconciler(set: Set, input: MetricsInput): void {
  set(
    "holdfast_all_well",
    allWell(input.policies.map((p) => p.health)) && input.brokenPolicies.length === 0 ? 1 : 0,
  );
  set("holdfast_up", input.up ? 1 : 0);
  set("holdfast_last_poll_timestamp_seconds", unixSeconds(input.lastPollAt));
  set("holdfast_last_poll_ok", input.lastPollOk === undefined ? undefined : Number(input.lastPollOk));
  set("holdfast_last_applied_timestamp_seconds", unixSeconds(input.lastAppliedAt));
  const reportedAt = unixSeconds(input.lastReportAt);
  set("holdfast_last_report_timestamp_seconds", reportedAt);
  set("holdfast_report_overdue", flag(input.isReportOverdue));
  set("holdfast_review_missing", flag(input.isReviewMissing));
  set("holdfast_alerts_undelivered", input.undeliveredCount);
  set("holdfast_info", 1, {
    version: input.version,
    cluster: input.cluster,
    revision: input.appliedRevision ?? "",
  });
}

function setPolicy(set: Set, policy: PolicyMetrics, nowMs: number): void {
  const { health, lastSuccess, lastRun, log } = policy;
  const labels = { policy: health.policy, component: health.component };
  const age = (at: string | undefined) => (at === undefined ? undefined : (nowMs - Date.parse(at)) / 1000);
  // The platform forgets runs; the store does not. A point in the store is a success whoever remembers it.
  set(
    "backup_last_success_timestamp",
    latest(unixSeconds(lastSuccess?.finishedAt), unixSeconds(health.newest?.at)),
    labels,
  );
  set("backup_size_bytes", health.newest?.sizeBytes ?? lastSuccess?.sizeBytes, labels);
  set("backup_files_count", lastSuccess?.filesCount, labels);
  if (lastRun?.finishedAt !== undefined) {
    set(
      "backup_duration_seconds",
      (Date.parse(lastRun.finishedAt) - Date.parse(lastRun.startedAt)) / 1000,
      labels,
    );
  }
  if (lastRun !== undefined && lastRun.outcome !== "running") {
    set("holdfast_backup_last_exit_status", exitStatus(lastRun), labels);
  }
  for (const status of pointStatuses) {
    const all = policy.pointsByStatus ?? { available: health.pointsCount };
    set("holdfast_points", all[status] ?? 0, { ...labels, status });
  }
  set("holdfast_stored_bytes", health.sizeBytes, labels);
  set("holdfast_newest_point_age_seconds", age(health.newest?.at), labels);
  set("holdfast_oldest_point_age_seconds", age(health.oldest?.at), labels);
  set("holdfast_exposure_seconds", health.exposureSeconds ?? Number.POSITIVE_INFINITY, labels);
  set("holdfast_rpo_measured_seconds", health.measured.rpoSeconds, labels);
  set("holdfast_rpo_target_seconds", health.target.rpoSeconds, labels);
  set("holdfast_rto_measured_seconds", health.measured.rtoSeconds, labels);
  set("holdfast_rto_target_seconds", health.target.rtoSeconds, labels);
  for (const state of proofStates)
    set("holdfast_proof_state", Number(health.proof === state), { ...labels, state });
  for (const check of health.checks) {
    const row = { ...labels, check: check.name, level: String(check.level) };
    set("holdfast_check_ok", Number(check.state === "proved"), row);
    set("holdfast_check_age_seconds", age(check.verdict?.at), row);
  }
  set("holdfast_log_behind_bytes", log?.behindBytes, labels);
  set("holdfast_log_retained_bytes", log?.retainedBytes, labels);
  set("holdfast_log_limit_bytes", log?.limitBytes, labels);
  set("holdfast_log_lost", log === undefined ? undefined : Number(log.lost), labels);
  setConditions(set, health, labels);
}

/** The four conditions the alert table fires from are always there, so that an alert can end. */
const alerted = {
  "backup-failed": "critical",
  "backup-missing": "critical",
  "backup-too-small": "warning",
  "verification-failed": "critical",
} as const satisfies Partial<Record<ConditionKind, string>>;

function setConditions(set: Set, health: PolicyHealth, labels: Readonly<Record<string, string>>): void {
  const counts = new Map<string, number>(
    Object.entries(alerted).map(([kind, severity]) => [`${kind} ${severity}`, 0]),
  );
  for (const { kind, severity } of health.conditions) {
    const key = `${kind} ${severity}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const [key, number] of counts) {
    const [kind = "", severity = ""] = key.split(" ");
    set("holdfast_conditions", number, { ...labels, kind, severity });
  }
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function exitStatus(run: Run): number {
  if (run.outcome === "succeeded") return 0;
  // 0 would say that all is well; a failed run that gives none is a lost one.
  return run.exitStatus === undefined || run.exitStatus === 0 ? 255 : run.exitStatus;
}

function unixSeconds(at: string | undefined): number | undefined {
  const ms = at === undefined ? Number.NaN : Date.parse(at);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}
