/**
 * The loop. It polls, judges a new commit, and converges; everything it touches is handed in. A broken
 * commit never replaces a good one, a remote that is away or a disk that is full stops nothing, and what
 * failed for a passing reason is tried again with growing pauses and jitter.
 */
import { HoldfastError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { PolicySource, Revision } from "../source/source.ts";
import type { Condition } from "../state/health.ts";
import type { Clock } from "../time/clock.ts";

export interface LoopStatus {
  /** `stalled`: it needs somebody, or a new commit; `unreachable`: the remote does not answer. */
  readonly state: "waiting" | "applying" | "stalled" | "unreachable";
  readonly ok: boolean;
  readonly lastPollAt: string;
  readonly lastPollOk: boolean;
  /** In force; empty before the first good commit. */
  readonly revision: string;
  /** The newest commit seen, good or not. */
  readonly seenCommit: string;
  readonly lastAppliedAt?: string;
  readonly conditions: readonly Condition[];
  readonly pollsCount: number;
}

export interface Judgement {
  readonly errors: readonly string[];
  /** Policies in force that the commit no longer has. */
  readonly removedPolicies: readonly string[];
  /** Why the commit needs a review that it does not carry, and how that is made. */
  readonly unreviewed?: { readonly message: string; readonly hint: string };
}

export interface Convergence {
  readonly ok: boolean;
  readonly transient: boolean;
  readonly detail: string;
}

export interface ReconcileInput {
  readonly source: PolicySource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly pollEveryMs: () => number;
  /** A full look at the world at least this often, also when no commit came: drift is found this way. */
  readonly observeEveryMs: number;
  /** 0 to 1. */
  readonly jitter: () => number;
  /** A rewritten branch is followed to this commit. */
  readonly acceptRewritten?: string;
  readonly loadKnown: () => Promise<{ readonly commit: string; readonly tree: string } | undefined>;
  readonly judgeRevision: (revision: Revision) => Promise<Judgement>;
  /** Makes the revision the one in force. */
  readonly adopt: (revision: Revision) => Promise<void>;
  readonly converge: () => Promise<Convergence>;
  /** Resolves when a run has ended, so that its outcome is looked at soon. */
  readonly nextRunEnd: (signal: AbortSignal) => Promise<void>;
  readonly onStatus: (status: LoopStatus) => Promise<void>;
}

const firstPauseMs = 2000;
const longestPauseMs = 300_000;

interface LoopState {
  known: { commit: string; tree: string } | undefined;
  /** The newest commit with a verdict; a broken one too, so that it is judged once. */
  polled: string | undefined;
  /** Why the newest commit is not in force. */
  broken: Condition | undefined;
  failure: Condition | undefined;
  /** Why the last status was not kept. */
  unsaid: Condition | undefined;
  convergeAtMs: number;
  retryPauseMs: number;
  pollPauseMs: number;
  status: LoopStatus;
}

/** Runs until the signal aborts; then resolves. Throws only what is a bug. */
export async function reconcile(input: ReconcileInput): Promise<void> {
  const known = await input.loadKnown();
  const state: LoopState = {
    known: known === undefined ? undefined : { commit: known.commit, tree: known.tree },
    polled: known?.commit,
    broken: undefined,
    failure: undefined,
    unsaid: undefined,
    convergeAtMs: 0,
    retryPauseMs: firstPauseMs,
    pollPauseMs: firstPauseMs,
    status: {
      state: "waiting",
      ok: known !== undefined,
      lastPollAt: new Date(0).toISOString(),
      lastPollOk: false,
      revision: known?.commit ?? "",
      seenCommit: known?.commit ?? "",
      conditions: [],
      pollsCount: 0,
    },
  };
  const wake = watchRunEnds(input, state);
  while (!input.signal.aborted) {
    const pauseMs = await pollOnce(input, state);
    if (state.known !== undefined && input.clock.nowMs() >= state.convergeAtMs && !input.signal.aborted)
      await convergeOnce(input, state);
    await say(input, state, {});
    const untilConvergeMs =
      state.known === undefined ? pauseMs : Math.max(0, state.convergeAtMs - input.clock.nowMs());
    await Promise.race([
      input.clock.wait(Math.min(pauseMs, Math.max(untilConvergeMs, 50)), input.signal).catch(() => undefined),
      wake.next(),
    ]);
  }
  await wake.ended;
}

/** A run that ended makes the next convergence due at once. */
function watchRunEnds(
  input: ReconcileInput,
  state: LoopState,
): { next(): Promise<void>; readonly ended: Promise<void> } {
  let ring: () => void = () => undefined;
  const ended = (async () => {
    while (!input.signal.aborted) {
      const isEnd = await input.nextRunEnd(input.signal).then(
        () => true,
        () => false,
      );
      if (!isEnd) return;
      state.convergeAtMs = Math.min(state.convergeAtMs, input.clock.nowMs());
      ring();
    }
  })();
  return {
    next: () =>
      new Promise<void>((resolve) => {
        ring = resolve;
      }),
    ended,
  };
}

/** One ref read, and what follows from it. Resolves with the pause before the next one. */
async function pollOnce(input: ReconcileInput, state: LoopState): Promise<number> {
  const { source, clock } = input;
  const lastPollAt = new Date(clock.nowMs()).toISOString();
  const pollsCount = state.status.pollsCount + 1;
  try {
    // How the commit lies to the policies in force counts: a second push onto a rewritten branch is forward
    // only for whoever has followed the first.
    const { movement, revision } = await source.poll(state.polled, state.known?.commit);
    state.status = { ...state.status, lastPollAt, pollsCount, lastPollOk: true };
    if (revision === undefined || (await consider(input, state, revision, movement === "rewritten"))) {
      state.pollPauseMs = firstPauseMs;
      return input.pollEveryMs() * (0.9 + input.jitter() * 0.2);
    }
    return nextPause(input, state);
  } catch (error) {
    if (input.signal.aborted) return 0;
    const failure = failureOf(error);
    state.status = { ...state.status, lastPollAt, pollsCount, lastPollOk: false };
    await say(input, state, {
      kind: "source-unreachable",
      policy: "",
      severity: state.known === undefined ? "critical" : "warning",
      message: `the policy repository cannot be read: ${failure.detail}`,
      hint: failure.transient ? "the last good policies stay in force; it is tried again" : failure.hint,
    });
    return nextPause(input, state);
  }
}

function nextPause(input: ReconcileInput, state: LoopState): number {
  const pauseMs = state.pollPauseMs * (0.75 + input.jitter() / 2);
  state.pollPauseMs = Math.min(
    state.pollPauseMs * 2,
    longestPauseMs,
    Math.max(input.pollEveryMs(), firstPauseMs),
  );
  return pauseMs;
}

/** What a failure of the world says, a full disk too. Throws on what is a bug. */
function failureOf(error: unknown): {
  readonly detail: string;
  readonly hint: string;
  readonly transient: boolean;
} {
  if (error instanceof HoldfastError)
    return { detail: error.message, hint: error.hint, transient: error.transient };
  const isSystem = error instanceof Error && "syscall" in error && "code" in error;
  if (!isSystem) throw error;
  return { detail: error.message, hint: "look at the state folder and its disk", transient: true };
}

/** False when the commit has no verdict yet and has to be looked at again. */
async function consider(
  input: ReconcileInput,
  state: LoopState,
  revision: Revision,
  isRewritten: boolean,
): Promise<boolean> {
  state.status = { ...state.status, seenCommit: revision.commit };
  if (state.known !== undefined && revision.tree === state.known.tree) {
    // A report, or anything else beside the policies: nothing to do, also when a broken commit was taken back.
    state.broken = undefined;
    state.polled = revision.commit;
    return true;
  }
  try {
    await judge(input, state, revision, isRewritten);
    state.polled = revision.commit;
    return true;
  } catch (error) {
    if (input.signal.aborted) return false;
    const { detail, hint } = failureOf(error);
    state.broken = {
      kind: "job-drift",
      policy: "",
      severity: "critical",
      message: `commit ${revision.commit.slice(0, 12)} could not be put in force, ${whatStays(state)}: ${detail}`,
      hint,
    };
    input.log.error("a commit could not be put in force", { commit: revision.commit, cause: detail });
    return false;
  }
}

function whatStays({ known }: LoopState): string {
  return known === undefined ? "no policy is in force" : `${known.commit.slice(0, 12)} stays in force`;
}

async function judge(
  input: ReconcileInput,
  state: LoopState,
  revision: Revision,
  isRewritten: boolean,
): Promise<void> {
  const { errors, removedPolicies, unreviewed } = await input.judgeRevision(revision);
  const short = revision.commit.slice(0, 12);
  const stays = whatStays(state);
  if (errors.length > 0) {
    state.broken = {
      kind: "policy-broken",
      policy: "",
      severity: "critical",
      message: `commit ${short} has ${errors.length} errors and is not applied, ${stays}: ${errors.slice(0, 3).join("; ")}`,
      hint: "run holdfast lint, mend it, push again",
    };
    input.log.error("a commit is not applied", { commit: revision.commit, errors });
    return;
  }
  if (isRewritten && removedPolicies.length > 0 && input.acceptRewritten !== revision.commit) {
    state.broken = {
      kind: "policy-broken",
      policy: "",
      severity: "critical",
      message: `the branch was rewritten and ${short} no longer has ${removedPolicies.join(", ")}; it is not applied, ${stays}`,
      hint: `if that is meant: holdfast run --accept-rewritten ${revision.commit}`,
    };
    return;
  }
  if (unreviewed !== undefined) {
    state.broken = {
      kind: "review-missing",
      policy: "",
      severity: "critical",
      message: `commit ${short} ${unreviewed.message}; it is not applied, ${stays}`,
      hint: unreviewed.hint,
    };
    input.log.error("a commit without its review is not applied", {
      commit: revision.commit,
      cause: unreviewed.message,
    });
    return;
  }
  await input.adopt(revision);
  state.broken = undefined;
  state.known = { commit: revision.commit, tree: revision.tree };
  state.status = { ...state.status, revision: revision.commit };
  state.convergeAtMs = 0;
  state.retryPauseMs = firstPauseMs;
}

async function convergeOnce(input: ReconcileInput, state: LoopState): Promise<void> {
  await say(input, { ...state, status: { ...state.status, state: "applying" } }, {}, "applying");
  const outcome = await input.converge().catch((error: unknown): Convergence => {
    const { detail, transient } = failureOf(error);
    return { ok: false, transient, detail };
  });
  const nowMs = input.clock.nowMs();
  if (outcome.ok) {
    state.failure = undefined;
    state.retryPauseMs = firstPauseMs;
    state.convergeAtMs = nowMs + input.observeEveryMs;
    state.status = { ...state.status, lastAppliedAt: new Date(nowMs).toISOString() };
    return;
  }
  state.failure = {
    kind: "job-drift",
    policy: "",
    severity: outcome.transient ? "warning" : "critical",
    message: `not everything could be applied: ${outcome.detail}`,
    hint: outcome.transient ? "it is tried again" : "mend the cause, or push a new commit",
  };
  state.convergeAtMs =
    nowMs + (outcome.transient ? state.retryPauseMs * (0.75 + input.jitter() / 2) : input.observeEveryMs);
  state.retryPauseMs = Math.min(state.retryPauseMs * 2, longestPauseMs);
}

/** Tells the outside what holds; `extra` is a condition of this moment only. */
async function say(
  input: ReconcileInput,
  state: LoopState,
  extra: Condition | Record<string, never>,
  word?: LoopStatus["state"],
): Promise<void> {
  const passing = "kind" in extra ? (extra as Condition) : undefined;
  const conditions = [state.broken, state.failure, state.unsaid, passing].filter((c) => c !== undefined);
  const isStalled = state.broken !== undefined || state.failure?.severity === "critical";
  const next = word ?? (state.status.lastPollOk ? (isStalled ? "stalled" : "waiting") : "unreachable");
  const kept =
    next === "unreachable" && !("kind" in extra)
      ? state.status.conditions.filter((c) => c.kind === "source-unreachable")
      : [];
  const status: LoopStatus = {
    ...state.status,
    state: next,
    ok: state.known !== undefined && !isStalled && state.status.lastPollOk,
    conditions: [...conditions, ...kept],
  };
  state.status = word === undefined ? status : state.status;
  await input.onStatus(status).then(
    () => {
      state.unsaid = undefined;
    },
    (error: unknown) => {
      const { detail, hint } = failureOf(error);
      const message = `the status could not be kept: ${detail}`;
      state.unsaid = { kind: "job-drift", policy: "", severity: "warning", message, hint };
      input.log.error("the status could not be kept", { cause: detail });
    },
  );
}
