/**
 * The difference between what the policies want and what is, as a value. Nothing here acts: each action says
 * why, each thing that is not allowed is a refusal, and every fact that leads to no action a note.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import { type ComponentKind, isScheduledByTool } from "../component.ts";
import type { Policy, PolicySet } from "../policy/model.ts";
import type { Actual, ActualJob, Job } from "../state/job.ts";
import type { Action, Note, Plan, Refusal } from "../state/plan.ts";
import { changedFields } from "./changed.ts";
import { desiredJobs } from "./jobs.ts";
import { missedRun } from "./missed.ts";

export interface PlanInput {
  /** Commit the policies are of; empty for a working copy. */
  readonly revision: string;
  readonly set: PolicySet;
  readonly builtKinds: readonly ComponentKind[];
  readonly actual: Actual;
  readonly catalogues: ReadonlyMap<string, Catalogue>;
  readonly nowMs: number;
  /** SHA-256 of `canonicalActual`. */
  readonly fingerprint: string;
}

interface Findings {
  readonly actions: Action[];
  readonly refusals: Refusal[];
  readonly notes: Note[];
}

/** Actions in the order they are to be carried out: stores, sources, jobs, runs. */
export function plan(input: PlanInput): Plan {
  const found: Findings = { actions: [], refusals: [], notes: [] };
  const desired = desiredJobs(input.set, input.builtKinds);
  found.notes.push(...desired.notes);
  const built = input.set.policies.filter((p) => input.builtKinds.includes(p.component));
  for (const policy of built) {
    // Nothing of ours is written for it, so nothing is marked.
    if (!isScheduledByTool(policy.component, policy.capture.method)) planStore(policy, input, found);
  }
  for (const policy of built) planSource(policy, input, found);
  planJobs(desired.jobs, input, found);
  planRuns(desired.jobs, built, input, found);
  noteReplaced(input, found);
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Plan",
    revision: input.revision,
    fingerprint: input.fingerprint,
    madeAt: instant(input.nowMs),
    ...found,
  };
}

/** A prefix is marked only while it is empty: a marker that vanished from a full one needs a person. */
function planStore(policy: Policy, { actual, catalogues }: PlanInput, found: Findings): void {
  const store = actual.stores.find((s) => s.policy === policy.name);
  const where = `store '${policy.store.name}' under '${policy.store.prefix}'`;
  if (store === undefined || store.identity === "unreachable") {
    const detail = store?.detail ? `: ${store.detail}` : "";
    const message = `${where} cannot be reached${detail}`;
    found.notes.push({ policy: policy.name, severity: "critical", message });
    return;
  }
  if (store.identity === "ours") return;
  const refuse = (message: string, hint: string): void => {
    found.refusals.push({ policy: policy.name, guard: "store-identity", message, hint });
  };
  if (store.identity === "foreign") {
    refuse(`${where} belongs to somebody else: ${store.detail}`, "give this policy a prefix of its own");
    return;
  }
  const catalogue = catalogues.get(policy.name);
  if (catalogue === undefined || !catalogue.complete) {
    refuse(
      `${where} has no marker and cannot be listed whole`,
      "run it again once the store answers in full",
    );
    return;
  }
  const count = catalogue.points.length + catalogue.unreadable.length;
  if (count > 0) {
    refuse(`${where} has ${count} points and no marker`, "holdfast doctor says whose points they are");
    return;
  }
  const reason = `${where} is empty and has no marker yet`;
  const { name, prefix } = policy.store;
  found.actions.push({ kind: "mark-store", policy: policy.name, store: name, prefix, reason });
}

function planSource(policy: Policy, { actual }: PlanInput, found: Findings): void {
  const source = actual.sources.find((s) => s.policy === policy.name);
  if (source === undefined) return;
  if (!source.reachable) {
    const message = `the source cannot be reached: ${source.detail}`;
    found.notes.push({ policy: policy.name, severity: "critical", message });
    return;
  }
  for (const drift of source.drift) {
    const facts = `${drift.setting} is '${drift.found}', the policy needs '${drift.wanted}': ${drift.consequence}`;
    if (drift.mendable && policy.onDrift === "mend" && !policy.suspended) {
      const { setting, wanted } = drift;
      found.actions.push({ kind: "mend-source", policy: policy.name, setting, wanted, reason: facts });
    } else {
      const message = `${facts}; to mend it: ${drift.mend}`;
      found.notes.push({ policy: policy.name, severity: drift.severity, message });
    }
  }
}

function planJobs(jobs: readonly Job[], { actual, set, revision }: PlanInput, found: Findings): void {
  const held = new Map(actual.jobs.map((j) => [j.job.key, j]));
  for (const job of jobs) {
    const current = held.get(job.key);
    if (current === undefined) {
      const at = revision === "" ? "the policies ask" : `revision ${revision.slice(0, 7)} asks`;
      const reason = `not there yet; ${at} for it`;
      found.actions.push({ kind: "create-job", policy: job.policy, job, reason });
      continue;
    }
    planChange(job, current, set, found);
  }
  const wanted = new Set(jobs.map((j) => j.key));
  for (const { job } of actual.jobs) {
    if (wanted.has(job.key)) continue;
    const isPolicyGone = !set.policies.some((p) => p.name === job.policy);
    const reason = isPolicyGone
      ? `no policy '${job.policy}' is left`
      : "its policy does not ask for it any more";
    found.actions.push({ kind: "remove-job", policy: job.policy, key: job.key, reason });
  }
  const gone = new Set(
    actual.jobs
      .map((j) => j.job)
      .filter((j) => j.kind !== "report" && !set.policies.some((p) => p.name === j.policy)),
  );
  for (const policy of new Set([...gone].map((j) => j.policy))) {
    const message = `the policy is gone: its jobs go, its recovery points stay in the store, untouched`;
    found.notes.push({ policy, severity: "warning", message });
  }
}

function planChange(job: Job, current: ActualJob, set: PolicySet, found: Findings): void {
  const changed = changedFields(current.job, job);
  if (current.ours) {
    if (changed.length === 0) return;
    const reason = `the policies changed its ${changed.join(", ")}`;
    found.actions.push({ kind: "update-job", policy: job.policy, job, changed, reason });
    return;
  }
  const onDrift = set.policies.find((p) => p.name === job.policy)?.onDrift ?? "mend";
  const what =
    current.drift !== undefined
      ? `: ${current.drift.join("; ")}`
      : changed.length === 0
        ? ""
        : `: its ${changed.join(", ")}`;
  if (onDrift === "mend") {
    const reason = `somebody else changed it${what}; it is put back`;
    found.actions.push({ kind: "update-job", policy: job.policy, job, changed, reason });
    return;
  }
  const message = `somebody else changed job '${job.key}'${what}; it is left so, as the policy says`;
  found.notes.push({ policy: job.policy, severity: "warning", message });
}

function planRuns(jobs: readonly Job[], built: readonly Policy[], input: PlanInput, found: Findings): void {
  const { actual, catalogues, nowMs } = input;
  for (const job of jobs) {
    if (job.suspended) continue;
    const held = actual.jobs.find((j) => j.job.key === job.key);
    const policy = built.find((p) => p.name === job.policy);
    const isFirst =
      policy !== undefined && job.key === `${policy.name}/capture` && job.schedule.kind !== "resident";
    const catalogue = catalogues.get(job.policy);
    const isEmpty = catalogue?.complete === true && catalogue.points.length === 0;
    const isReady = catalogue?.unreadable.length === 0 && !isForeign(input, job.policy);
    if (isFirst && isEmpty && isReady && (held === undefined || (!held.running && held.runs.length === 0))) {
      const slotAt = instant(Math.floor(nowMs / 1000) * 1000);
      const reason = "no recovery point yet";
      found.actions.push({ kind: "run-job", policy: job.policy, key: job.key, slotAt, reason });
      continue;
    }
    if (held === undefined) continue;
    const missed = missedRun(job, held, nowMs);
    if (missed === undefined) continue;
    found.actions.push({ kind: "run-job", policy: job.policy, key: job.key, ...missed });
  }
}

/** Two jobs back up the same: which of them goes is for a person to say. */
function noteReplaced({ actual }: PlanInput, found: Findings): void {
  for (const { policy, name, state } of actual.replaced ?? []) {
    const [namespace, job] = name.split("/");
    if (state === "runs") {
      const mend = `kubectl --namespace ${namespace} patch cronjob ${job} --patch '{"spec":{"suspend":true}}'`;
      const message = `CronJob ${name}, which this policy takes the place of, still runs; once the policy is proved: ${mend}`;
      found.notes.push({ policy, severity: "warning", message });
    }
    if (state === "unknown") {
      const message = `whether CronJob ${name}, which this policy takes the place of, still runs cannot be seen from here`;
      found.notes.push({ policy, severity: "info", message });
    }
  }
}

function isForeign({ actual }: PlanInput, policy: string): boolean {
  const store = actual.stores.find((s) => s.policy === policy);
  return store === undefined || store.identity === "foreign" || store.identity === "unreachable";
}
