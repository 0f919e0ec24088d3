/** Jobs: what a policy set wants to have run, and what a platform says about them. Plain JSON values. */

import type { Instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { ErrorCode } from "../errors.ts";

/** `capture` takes a point, `log` is resident, `verify` proves, `prune` expires, `report` writes and commits. */
export type JobKind = "capture" | "log" | "verify" | "prune" | "report";

/** When a job runs. `resident` is kept running; `once` only when an action asks for it. */
export type JobSchedule =
  | { readonly kind: "cron"; readonly cron: string; readonly timeZone: string }
  | { readonly kind: "resident" }
  | { readonly kind: "once" };

/** Desired. `key` is unique in a cluster: `postgresql/capture`, `postgresql/verify-4`, `holdfast/report`. */
export interface Job {
  readonly key: string;
  /** Policy name; the reconciler's name for `report` and for what proves several policies at once. */
  readonly policy: string;
  /** Policies it proves at once, sorted; only of the whole stack. */
  readonly policies?: readonly string[];
  readonly kind: JobKind;
  readonly schedule: JobSchedule;
  /** Verb and arguments after `holdfast`; the platform appends `--slot INSTANT` for cron runs. */
  readonly argv: readonly string[];
  readonly deadlineMs: number;
  readonly suspended: boolean;
  /** Jobs with the same group never run at the same time. */
  readonly group: string;
  /** The account with which the run speaks to a platform that has accounts; most runs need none. */
  readonly account?: string;
  /** Needs the store alone: run apart from the source, with these variables of the secrets and no others. */
  readonly apart?: { readonly variables: readonly string[] };
}

/** Whether a job's runs say something about a policy. */
export function concerns(job: Pick<Job, "policy" | "policies">, policy: string): boolean {
  return job.policy === policy || job.policies?.includes(policy) === true;
}

/** One run of a job; its identity is `key` and `slotAt`, the nominal instant. */
export interface Run {
  readonly key: string;
  readonly policy: string;
  readonly kind: JobKind;
  readonly slotAt: Instant;
  readonly startedAt: Instant;
  readonly finishedAt?: Instant;
  /** Which try of the slot this is; missing for the first. */
  readonly attempt?: number;
  /** `lost`: the process vanished without a result (kill -9, power). */
  readonly outcome: "running" | "succeeded" | "failed" | "lost";
  readonly exitStatus?: number;
  readonly code?: ErrorCode;
  /** Redacted, one line. */
  readonly message?: string;
  readonly point?: PointId;
  readonly sizeBytes?: number;
  readonly filesCount?: number;
}

/** A job as the platform holds it. */
export interface ActualJob {
  readonly job: Job;
  /** Revision that put it there. */
  readonly revision: string;
  /** False when its definition was changed by somebody else since we wrote it. */
  readonly ours: boolean;
  /** Where a platform can tell: each changed field and who changed it, one line each. */
  readonly drift?: readonly string[];
  readonly running: boolean;
  /** Newest first, at most 50. */
  readonly runs: readonly Run[];
  /** Since when the platform holds it; slots before that are not missed. */
  readonly since: Instant;
}

/** A CronJob of somebody else's that a policy takes the place of. */
export interface ReplacedJob {
  readonly policy: string;
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** `unknown` where nobody here may look. */
  readonly state: "runs" | "suspended" | "gone" | "unknown";
}

/** What the platform holds now. */
export interface Actual {
  readonly platform: string;
  /** Revision applied last; empty before the first. */
  readonly revision: string;
  readonly jobs: readonly ActualJob[];
  readonly stores: readonly StoreFacts[];
  readonly sources: readonly SourceFacts[];
  /** Of policies that name one. */
  readonly replaced?: readonly ReplacedJob[];
  readonly observedAt: Instant;
}

/** The identity marker of one policy's prefix, as found. */
export interface StoreFacts {
  readonly policy: string;
  readonly store: string;
  readonly prefix: string;
  readonly identity: "ours" | "missing" | "foreign" | "unreachable";
  /** Who owns it when foreign; why when unreachable. */
  readonly detail: string;
  /** Days every new object is locked for; undefined where nobody may know. */
  readonly lockDays?: number;
  /** Days the store's settings promise; absent when they promise none. */
  readonly promisedLockDays?: number;
}

/** One setting of a source server that differs from what its policy needs. */
export interface Drift {
  readonly setting: string;
  readonly wanted: string;
  readonly found: string;
  /** What will go wrong. */
  readonly consequence: string;
  /** Command or statement that mends it. */
  readonly mend: string;
  /** True where the engine can mend it itself without a restart. */
  readonly mendable: boolean;
  readonly severity: "critical" | "warning";
}

/** What an engine found at the source. */
export interface SourceFacts {
  readonly policy: string;
  readonly reachable: boolean;
  /** Why not, when not reachable. */
  readonly detail: string;
  readonly version: string;
  /** What tells this server from any other: for PostgreSQL the system identifier. */
  readonly identity: string;
  readonly tools: Readonly<Record<string, string>>;
  readonly drift: readonly Drift[];
  readonly log?: LogFlow;
}

/** How far the change log is behind, as the server sees it. */
export interface LogFlow {
  /** Bytes written at the source and not yet in the store. */
  readonly behindBytes: number;
  /** Bytes the source keeps for us, and how many it may keep before it drops us (undefined: no limit). */
  readonly retainedBytes: number;
  readonly limitBytes?: number;
  readonly lost: boolean;
  /** The source has written nothing since; then age alone is no alarm. */
  readonly idle: boolean;
}
