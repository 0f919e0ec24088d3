/**
 * The one error class and the one table of codes. A fault in a user's policy is a `Finding` and never an
 * error; a bug is a plain `Error`. Only `cli` turns a code into an exit status.
 */

/** What an exit status means and whether running the same command again can help. */
export interface ExitStatus {
  readonly status: number;
  readonly meaning: string;
  readonly retry: "no" | "yes" | "later" | "investigate";
}

/** Every exit status Holdfast can give; docs and `--help` are made from this table. */
export const exitStatuses = {
  fine: { status: 0, meaning: "fine", retry: "no" },
  bug: { status: 1, meaning: "a bug of Holdfast's own", retry: "no" },
  usage: { status: 2, meaning: "wrong usage", retry: "no" },
  findings: { status: 3, meaning: "findings at or above the fail severity", retry: "no" },
  drift: { status: 4, meaning: "drift, or an objective missed", retry: "later" },
  verification: { status: 5, meaning: "verification failed", retry: "investigate" },
  tool: { status: 6, meaning: "the component's own tool failed", retry: "investigate" },
  unreachable: { status: 10, meaning: "something is unreachable", retry: "yes" },
  locked: { status: 11, meaning: "locked by another run", retry: "later" },
  key: { status: 12, meaning: "key missing", retry: "no" },
  interrupted: { status: 130, meaning: "interrupted", retry: "yes" },
} as const satisfies Record<string, ExitStatus>;

export type ExitName = keyof typeof exitStatuses;

interface CodeFacts {
  readonly exit: ExitName;
  /** True where the same call may succeed later without anybody mending anything. */
  readonly transient: boolean;
  /** What to do, when the place that throws knows nothing better. */
  readonly hint: string;
}

/** Every error code. A new failure takes a code that is here or adds one line. */
export const errorCodes = {
  usage: { exit: "usage", transient: false, hint: "see holdfast --help" },
  "policy-invalid": { exit: "findings", transient: false, hint: "run holdfast lint" },
  "policy-unknown": { exit: "usage", transient: false, hint: "holdfast status lists the policies" },
  "not-built-yet": { exit: "usage", transient: false, hint: "the README says what does not work yet" },
  "plan-stale": { exit: "drift", transient: true, hint: "run holdfast plan again and look at what moved" },
  "guard-refused": { exit: "drift", transient: false, hint: "read the reason; nothing was changed" },
  "objective-missed": { exit: "drift", transient: true, hint: "run holdfast status" },
  "point-unknown": { exit: "usage", transient: false, hint: "holdfast list shows the recovery points" },
  "target-unreachable": {
    exit: "verification",
    transient: false,
    hint: "take one of the reachable instants",
  },
  "wal-gap": { exit: "verification", transient: false, hint: "take a new base backup" },
  "verification-failed": {
    exit: "verification",
    transient: false,
    hint: "run holdfast verify on another point",
  },
  "data-damaged": {
    exit: "verification",
    transient: false,
    hint: "restore another point; this one is damaged",
  },
  "manifest-invalid": { exit: "verification", transient: false, hint: "run holdfast verify" },
  "tool-missing": { exit: "tool", transient: false, hint: "run holdfast doctor" },
  "tool-failed": { exit: "tool", transient: true, hint: "read the tool's own message above" },
  "tool-version": { exit: "tool", transient: false, hint: "run holdfast doctor" },
  "empty-backup": { exit: "tool", transient: false, hint: "the tool gave no data; look at its rights" },
  "target-not-empty": { exit: "usage", transient: false, hint: "name a new or empty folder with --to" },
  "no-room": {
    exit: "usage",
    transient: false,
    hint: "name a folder on a larger disk with --to, or restore on a larger machine; --ignore-room tries all the same",
  },
  "source-unreachable": { exit: "unreachable", transient: true, hint: "check the address and the network" },
  "source-rewritten": {
    exit: "drift",
    transient: false,
    hint: "the branch was rewritten; confirm the new history",
  },
  "store-unreachable": { exit: "unreachable", transient: true, hint: "check the endpoint and the network" },
  "store-denied": { exit: "unreachable", transient: false, hint: "check the store's credentials and rights" },
  "store-full": { exit: "unreachable", transient: false, hint: "make room in the store" },
  "store-failed": { exit: "unreachable", transient: true, hint: "read the store's message" },
  "store-identity": {
    exit: "drift",
    transient: false,
    hint: "this store is not the one the policies name; nothing is deleted",
  },
  "platform-unreachable": {
    exit: "unreachable",
    transient: true,
    hint: "check the address of the cluster and the network",
  },
  "platform-denied": {
    exit: "unreachable",
    transient: false,
    hint: "the service account lacks a right; holdfast install prints the roles it needs",
  },
  "platform-failed": { exit: "unreachable", transient: true, hint: "read the platform's message" },
  "github-refused": {
    exit: "unreachable",
    transient: true,
    hint: "check HOLDFAST_GITHUB_TOKEN, its rights and the network",
  },
  "object-missing": { exit: "verification", transient: false, hint: "run holdfast verify" },
  "object-exists": { exit: "locked", transient: false, hint: "another run has written this object" },
  locked: { exit: "locked", transient: true, hint: "wait for the other run, or see holdfast status" },
  "lock-lost": { exit: "locked", transient: true, hint: "the lease ran out; the run stopped itself" },
  "key-missing": {
    exit: "key",
    transient: false,
    hint: "give the identity file with --identity or HOLDFAST_IDENTITY",
  },
  "key-wrong": { exit: "key", transient: false, hint: "this identity is none of the recipients" },
  interrupted: { exit: "interrupted", transient: true, hint: "run the same command again" },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A failure with a code, a sentence for people, a hint with the next command, and its cause. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "HoldfastError";
    this.code = code;
    this.hint = details.hint ?? errorCodes[code].hint;
  }

  get transient(): boolean {
    return errorCodes[this.code].transient;
  }

  get exitStatus(): number {
    return exitStatuses[errorCodes[this.code].exit].status;
  }
}
