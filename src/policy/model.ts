/**
 * The resolved policy set: what the YAML means once references are followed, defaults filled in and texts
 * turned into numbers. Readonly plain values; every duration is milliseconds, every size bytes.
 * Schemas for the YAML itself are in `schema/`; `parse.ts` and `resolve.ts` lead from one to the other.
 */
import type { ComponentKind } from "../component.ts";
import type { Location, Severity } from "../finding.ts";

export const apiVersion = "holdfast.dev/v1";

export const documentKinds = [
  "BackupPolicy",
  "RetentionTable",
  "VerificationChecklist",
  "AlertTable",
  "Store",
  "KeyRing",
  "Reconciler",
] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** Where a secret is found at run time. The value itself never stands in YAML. Exactly one field is set. */
export interface SecretReference {
  /** Name of an environment variable. */
  readonly env?: string;
  /** Path of a file whose content, less one final newline, is the secret. */
  readonly file?: string;
}

/** How densely recovery points are kept. A point kept by any line of the table is kept. */
export interface KeepTable {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  /** Everything younger than this many days, counted from now. */
  readonly days?: number;
  /** Nothing expires. */
  readonly forever?: true;
}

export interface RetentionRow {
  readonly name: string;
  readonly keep: KeepTable;
}

export type ProofLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** One row of a checklist: the component counts as proved while `level` is younger than `everyMs`. */
export interface CheckRequirement {
  readonly name: string;
  readonly level: ProofLevel;
  readonly everyMs: number;
  readonly automated: "yes" | "partial" | "no";
}

export interface Checklist {
  readonly name: string;
  readonly checks: readonly CheckRequirement[];
  /** A point is too small under this share of the average of its policy's last points (0.8 = 80 %). */
  readonly minimumSizeRatio: number;
  /** Each escrow key of a policy has to have opened one of its points within this time. */
  readonly escrowEveryMs: number;
}

export type Schedule =
  | { readonly kind: "cron"; readonly cron: string; readonly timeZone: string }
  | { readonly kind: "continuous" }
  | { readonly kind: "change"; readonly debounceMs: number; readonly atLeastEveryMs: number };

export interface StoreReference {
  readonly name: string;
  /** Key prefix inside the store, ends with "/" or is empty. */
  readonly prefix: string;
}

export type Codec = "none" | "gzip" | "zstd";

/** The continuous change log (PostgreSQL WAL, MongoDB oplog) that bridges the gaps between points. */
export interface LogSettings {
  /** `stream`: a resident receiver on a slot or cursor. `archive`: the server calls us per segment. */
  readonly mode: "stream" | "archive";
  readonly store: StoreReference;
  readonly retention: RetentionRow;
  /** An unfinished segment is pushed at least this often while something is written. */
  readonly pushEveryMs: number;
  /** Replication slot or cursor name; empty for none. */
  readonly slot: string;
}

export interface Objectives {
  /** Most data, as time, that a disaster may cost. */
  readonly rpoMs: number;
  /** Longest a restore may take. */
  readonly rtoMs: number;
  /** Once in force that long, the oldest point is at least this old and each day inside has one. */
  readonly reachMs: number | "forever";
  /** Any instant this far back can be restored; 0 where there is no change log. */
  readonly pitrWindowMs: number;
}

export interface PruneSettings {
  /** Points that stay whatever the table says: the newest proven ones. */
  readonly floor: number;
  /** Time between tombstone and removal of bytes. */
  readonly graceMs: number;
  /** Largest share of a policy's points one run may remove (0.1 = 10 %); three points are always allowed. */
  readonly maxShare: number;
}

export interface Assertion {
  /** Statement for the restored server; its single value must be true. */
  readonly sql: string;
  readonly database: string;
}

/** Something at the source that is in no backup, and that somebody has accepted until a date. */
export interface CoverageWaiver {
  /** `kind/name`; `*` stands for any text of the name. */
  readonly item: string;
  readonly reason: string;
  readonly owner: string;
  /** ISO date; the waiver holds through that day in UTC. */
  readonly until: string;
}

export interface CoverageSettings {
  /** Of the condition that something at the source is in no backup. */
  readonly severity: "critical" | "warning" | "info";
  readonly waivers: readonly CoverageWaiver[];
}

export interface Policy {
  readonly name: string;
  readonly component: ComponentKind;
  readonly owner: string;
  /** Observed and reported, but nothing is scheduled or deleted. */
  readonly suspended: boolean;
  /** Host, port, user, database, …, as the engine's own part of the schema has it. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** Where the source runs; compared with the store's to find backups that die with their source. */
  readonly failureDomain: string;
  readonly objectives: Objectives;
  readonly schedule: Schedule;
  readonly capture: {
    readonly method: string;
    readonly codec: Codec;
    readonly level: number;
    /** Cron of full captures where the schedule's own captures are incremental; undefined for all full. */
    readonly fullCron?: string;
    /** Engine's own settings, checked by the schema. */
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly log?: LogSettings;
  readonly store: StoreReference;
  readonly encryption: { readonly recipients: readonly string[] };
  readonly retention: RetentionRow;
  readonly prune: PruneSettings;
  readonly verification: Checklist;
  readonly assertions: readonly Assertion[];
  /** A canary row or key is written this often so that the recovery point can be measured; 0 for never. */
  readonly canaryEveryMs: number;
  /** What the platform does when a job it owns was changed by somebody else. */
  readonly onDrift: "mend" | "report";
  readonly coverage?: CoverageSettings;
  readonly deadlineMs: number;
  /** `NAMESPACE/NAME` of a CronJob of somebody else's that the policy takes the place of. */
  readonly replaces?: string;
}

export interface StoreCredentials {
  readonly accessKeyId: SecretReference;
  readonly secretAccessKey: SecretReference;
  readonly sessionToken?: SecretReference;
}

/** Where bytes go. Write, read and delete rights are apart so that no one identity can do all three. */
export interface StoreSettings {
  readonly name: string;
  readonly type: "s3" | "directory";
  readonly failureDomain: string;
  /** s3 */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly forcePathStyle: boolean;
  readonly credentials: {
    readonly write?: StoreCredentials;
    readonly read?: StoreCredentials;
    /** May write verdicts, and nothing else: for drills that are kept apart. */
    readonly verdict?: StoreCredentials;
    readonly delete?: StoreCredentials;
  };
  readonly objectLock: { readonly mode: "none" | "governance" | "compliance"; readonly days: number };
  /** directory: absolute path. */
  readonly path: string;
}

export interface KeyRecipient {
  readonly name: string;
  /** `age1…` public key. */
  readonly recipient: string;
  /** `runner` can decrypt for drills; `escrow` is kept off-line and opens everything after a disaster. */
  readonly role: "runner" | "escrow";
}

export interface Receiver {
  readonly name: string;
  readonly type: "webhook" | "alertmanager" | "github-issue" | "dead-man";
  readonly url: string;
}

export interface AlertRule {
  readonly name: string;
  readonly condition: string;
  /** Machine-readable trigger, one of those `health` knows. */
  readonly when: string;
  readonly severity: "critical" | "warning" | "info";
  readonly receivers: readonly string[];
}

export interface ReconcilerSettings {
  readonly name: string;
  /** Written into each store's identity marker; two clusters never share a prefix. */
  readonly cluster: string;
  readonly repository: { readonly url: string; readonly branch: string; readonly path: string };
  readonly pollEveryMs: number;
  readonly reports: {
    readonly cron: string;
    readonly timeZone: string;
    readonly path: string;
    readonly branch: string;
    /** A report older than this is itself a failure. */
    readonly overdueMs: number;
  };
  readonly listen: { readonly host: string; readonly port: number };
  readonly maxParallelRuns: number;
  /** A commit that makes something unrestorable is applied with its review alone. */
  readonly requireReview?: boolean;
  readonly platform: PlatformSettings;
}

/** Where jobs run. Undefined fields are what the program finds around itself. */
export interface PlatformSettings {
  readonly kind: "local" | "kubernetes";
  readonly namespace?: string;
  /** Where drills run that need nothing but the store. */
  readonly drillNamespace?: string;
  readonly image?: string;
  /** Secrets by name; their values are never read by the reconciler. */
  readonly environmentSecret?: string;
  readonly identitySecret?: string;
}

/** A finding somebody has accepted until a date, written as a comment or under `metadata.waivers`. */
export interface Waiver {
  readonly rule: string;
  readonly reason: string;
  readonly owner: string;
  /** ISO date; the waiver holds through that day in UTC. */
  readonly until: string;
  readonly document: string;
  readonly location: Location;
}

/** Everything the files of one revision say. Only documents without schema faults take part. */
export interface PolicySet {
  readonly policies: readonly Policy[];
  readonly stores: readonly StoreSettings[];
  readonly keys: readonly KeyRecipient[];
  readonly retention: readonly RetentionRow[];
  readonly checklists: readonly Checklist[];
  readonly alerts: readonly AlertRule[];
  readonly receivers: readonly Receiver[];
  readonly reconciler?: ReconcilerSettings;
  readonly waivers: readonly Waiver[];
}

/** One text file of a revision; `bytes` when it is not valid UTF-8 text. */
export interface PolicyFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A path into a document: object keys and array indexes. */
export type YamlPath = readonly (string | number)[];

export type { Severity };
