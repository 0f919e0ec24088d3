/**
 * The jobs a policy set wants to have. Verifications and pruning get a minute and an hour from a hash of their
 * key, so that they spread over the day and are the same on every machine.
 */
import { type ComponentKind, componentFacts, components, isScheduledByTool } from "../component.ts";
import type { CheckRequirement, Policy, PolicySet, ProofLevel, ReconcilerSettings } from "../policy/model.ts";
import type { Job } from "../state/job.ts";
import type { Note } from "../state/plan.ts";
import { apartOf } from "./apart.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** Reading a whole store can take long; a capture's own deadline is no measure of it. */
const shortestDeadlineMs = 6 * hourMs;
/** Everything one after the other. */
const stackDeadlineMs = dayMs;
/** Below it nothing but the store is asked. */
const firstRestoringLevel = 4;

export interface DesiredJobs {
  readonly jobs: readonly Job[];
  readonly notes: readonly Note[];
}

/** Jobs in the order of the policies; a kind without an engine has none and a note that says so. */
export function desiredJobs(set: PolicySet, builtKinds: readonly ComponentKind[]): DesiredJobs {
  const jobs: Job[] = [];
  const notes: Note[] = [];
  for (const policy of set.policies) {
    if (isScheduledByTool(policy.component, policy.capture.method)) {
      const message = `the tool's own schedule makes its backups; Holdfast keeps that schedule as the policy says, and proves none of them`;
      notes.push({ policy: policy.name, severity: "info", message });
      continue;
    }
    if (builtKinds.includes(policy.component)) {
      const apart = apartOf(policy, set);
      jobs.push(...captureJobs(policy), ...verifyJobs(policy, apart), pruneJob(policy));
      if (apart === undefined && isInCluster(set)) notes.push(besideNote(policy));
      continue;
    }
    const { title } = components[policy.component];
    const message = `the engine for ${title} is not there yet: nothing is scheduled and nothing is backed up`;
    notes.push({ policy: policy.name, severity: "critical", message });
  }
  if (set.reconciler !== undefined) {
    const built = set.policies.filter((p) => builtKinds.includes(p.component) && isInStack(p));
    jobs.push(...stackJob(set.reconciler, built), reportJob(set.reconciler));
  }
  return { jobs, notes };
}

/** Whether a policy belongs to the whole stack, which is proved at once: nobody has stopped it, and it makes points. */
export function isInStack({ suspended, component, capture }: Policy): boolean {
  return !suspended && !isScheduledByTool(component, capture.method);
}

function captureJobs(policy: Policy): readonly Job[] {
  const { name, schedule, capture, log } = policy;
  const shared = { policy: name, deadlineMs: policy.deadlineMs, suspended: policy.suspended };
  const account = accountOf(policy, "capture");
  const captureJob = { ...shared, ...account, key: `${name}/capture`, kind: "capture" as const };
  const jobs: Job[] = [
    schedule.kind === "cron"
      ? {
          ...captureJob,
          schedule: { kind: "cron", cron: schedule.cron, timeZone: schedule.timeZone },
          argv: ["backup", name],
          group: name,
        }
      : // The lock in the store keeps its captures apart from others of the policy.
        { ...captureJob, schedule: { kind: "resident" }, argv: ["watch", name], group: `${name}/watch` },
  ];
  if (capture.fullCron !== undefined) {
    const timeZone = schedule.kind === "cron" ? schedule.timeZone : "Etc/UTC";
    jobs.push({
      ...shared,
      ...account,
      key: `${name}/capture-full`,
      kind: "capture",
      schedule: { kind: "cron", cron: capture.fullCron, timeZone },
      argv: ["backup", name, "--full"],
      group: name,
    });
  }
  if (log !== undefined) {
    jobs.push({
      ...shared,
      key: `${name}/log`,
      kind: "log",
      schedule: { kind: "resident" },
      argv: ["wal", name],
      group: `${name}/log`,
    });
  }
  return jobs;
}

/**
 * One job per level; where rows share a level the shortest time counts. A run proves the levels below it too,
 * so a level has no job where a higher one runs as often. Level 6 is of the whole stack, and of its own job.
 */
function verifyJobs(policy: Policy, apart: Job["apart"]): readonly Job[] {
  const shortest = new Map<ProofLevel, CheckRequirement>();
  for (const check of policy.verification.checks) {
    if (check.level > 5) continue;
    const known = shortest.get(check.level);
    if (known === undefined || check.everyMs < known.everyMs) shortest.set(check.level, check);
  }
  const rows = [...shortest.values()];
  return rows
    .filter((row) => !rows.some((other) => other.level > row.level && other.everyMs <= row.everyMs))
    .sort((a, b) => a.level - b.level)
    .map((check) => {
      const key = `${policy.name}/verify-${check.level}`;
      return {
        key,
        policy: policy.name,
        kind: "verify" as const,
        schedule: { kind: "cron" as const, cron: spreadCron(key, check.everyMs), timeZone: "Etc/UTC" },
        argv: ["verify", policy.name, "--level", String(check.level)],
        deadlineMs: Math.max(policy.deadlineMs, shortestDeadlineMs),
        suspended: policy.suspended,
        group: `${policy.name}/verify`,
        ...whereFor(policy, check.level, apart),
      };
    });
}

/** As often as the most demanding of the checklists that ask for level 6; none without one. */
function stackJob({ name }: ReconcilerSettings, policies: readonly Policy[]): readonly Job[] {
  const asking = policies.filter((p) => p.verification.checks.some((c) => c.level === 6));
  const rows = asking.flatMap((p) => p.verification.checks.filter((c) => c.level === 6));
  if (rows.length === 0) return [];
  const key = `${name}/verify-6`;
  const everyMs = Math.min(...rows.map((r) => r.everyMs));
  return [
    {
      key,
      policy: name,
      policies: asking.map((p) => p.name).sort(),
      kind: "verify",
      schedule: { kind: "cron", cron: spreadCron(key, everyMs), timeZone: "Etc/UTC" },
      argv: ["verify", "--all"],
      deadlineMs: stackDeadlineMs,
      suspended: false,
      group: key,
      ...accountOf(policies.find((p) => accountOf(p, "drill").account !== undefined) ?? policies[0], "drill"),
    },
  ];
}

/** A drill that restores into the cluster itself needs an account there; every other needs the store alone. */
function whereFor(policy: Policy, level: ProofLevel, apart: Job["apart"]): Pick<Job, "account" | "apart"> {
  const account = level >= firstRestoringLevel ? accountOf(policy, "drill") : {};
  return account.account === undefined && apart !== undefined ? { apart } : account;
}

function isInCluster({ reconciler }: PolicySet): boolean {
  return reconciler !== undefined && reconciler.platform.kind !== "local";
}

function besideNote({ name, store }: Policy): Note {
  const message = `its drills run beside everything else and with every secret: store '${store.name}' has no credentials of their own to read with and to write verdicts with`;
  return { policy: name, severity: "warning", message };
}

function accountOf(policy: Policy | undefined, part: "capture" | "drill"): Pick<Job, "account"> {
  if (policy === undefined) return {};
  const { clusterAccounts: accounts } = componentFacts(policy.component);
  if (accounts === undefined || policy.connection[accounts.unless] !== undefined) return {};
  return { account: accounts[part] };
}

function pruneJob(policy: Policy): Job {
  const key = `${policy.name}/prune`;
  return {
    key,
    policy: policy.name,
    kind: "prune",
    schedule: { kind: "cron", cron: spreadCron(key, 2 * dayMs), timeZone: "Etc/UTC" },
    argv: ["prune", policy.name, "--apply"],
    deadlineMs: policy.deadlineMs,
    suspended: policy.suspended,
    group: policy.name,
  };
}

function reportJob({ name, reports }: ReconcilerSettings): Job {
  return {
    key: `${name}/report`,
    policy: name,
    kind: "report",
    schedule: { kind: "cron", cron: reports.cron, timeZone: reports.timeZone },
    argv: ["report", "--commit"],
    deadlineMs: hourMs,
    suspended: false,
    group: `${name}/report`,
  };
}

/**
 * At least twice in the time asked, so that a proof is renewed before it is too old, also where one run fails
 * or takes long. The minute, hour and day come from the hash.
 */
function spreadCron(key: string, everyMs: number): string {
  const hash = fnv1a(key);
  const minute = hash % 60;
  const hour = Math.floor(hash / 60) % 24;
  const day = Math.floor(hash / 1440);
  if (everyMs < 2 * hourMs) return `${minute % 15}/15 * * * *`;
  if (everyMs < dayMs) return `${minute} * * * *`;
  if (everyMs < 2 * dayMs) return `${minute} ${hour % 12},${(hour % 12) + 12} * * *`;
  if (everyMs < 7 * dayMs) return `${minute} ${hour} * * *`;
  if (everyMs < 14 * dayMs) return `${minute} ${hour} * * ${day % 4},${(day % 4) + 3}`;
  if (everyMs < 30 * dayMs) return `${minute} ${hour} * * ${day % 7}`;
  // Two days a fortnight apart leave 17 days at most over the end of a month.
  if (everyMs < 62 * dayMs) return `${minute} ${hour} ${(day % 14) + 1},${(day % 14) + 15} * *`;
  return `${minute} ${hour} ${(day % 28) + 1} * *`;
}

/** 32 bit FNV-1a: small, and the same everywhere. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}
