/** Starts runs and records how they end, so that another process can go on from the files alone. */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { exitStatuses } from "../../errors.ts";
import { readJson } from "../../json-file.ts";
import type { Logger } from "../../log.ts";
import type { Job, Run } from "../../state/job.ts";
import { retryAtMs } from "../../state/retry.ts";
import type { Clock } from "../../time/clock.ts";
import { type LocalFiles, plainRun, type StoredRun } from "./files.ts";
import { endProcess, findMarked, isAlive, type StartedProcess, startProcess } from "./process.ts";

const adoptLookMs = 500;
const writeAgainMs = 5_000;
/** A timer's longest. */
const longestTimerMs = 2 ** 31 - 1;
/** Its value is the path of the result, and so the mark by which a run is found. */
const markName = "HOLDFAST_RESULT";
/** Kinds whose verbs take `--slot`. */
const slotted = new Set<Job["kind"]>(["capture", "verify", "prune", "report"]);

export interface RunsInput {
  readonly files: LocalFiles;
  readonly clock: Clock;
  readonly log: Logger;
  readonly argv: readonly string[];
  readonly extraArgs: () => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly maxParallelRuns: number;
}

type Result = Partial<Pick<Run, "point" | "sizeBytes" | "filesCount" | "code" | "message">>;

interface End {
  /** Undefined when it died by a signal, or nobody was there to be told. */
  readonly exitStatus?: number;
  readonly isLate?: boolean;
}

interface Running {
  readonly group: string;
  readonly done: Promise<void>;
  /** Asks it to end, now or as soon as it has begun. */
  end?: (graceMs: number) => void;
}

export class LocalRuns {
  readonly #input: RunsInput;
  /** Runs under way in this process or adopted from one before, by key. */
  readonly #running = new Map<string, Running>();
  readonly #waiters = new Set<(run: Run) => void>();
  /** Set once everything is to stop. */
  #graceMs: number | undefined;

  constructor(input: RunsInput) {
    this.#input = input;
  }

  /** Runs of a process before us: those that live are waited for, the others are lost. */
  async adopt(): Promise<void> {
    const { files } = this.#input;
    for (const run of await files.openRuns()) {
      const living = await this.#processOf(run);
      if (living === undefined) {
        await this.#record(run, {});
        continue;
      }
      const known: StoredRun = { ...run, ...living };
      this.#running.set(run.key, {
        group: run.group ?? run.policy,
        done: this.#waitForAdopted(known),
        end: (graceMs) => void endProcess(living.pid, living.pidStart, graceMs),
      });
    }
  }

  async #processOf(run: StoredRun): Promise<{ readonly pid: number; readonly pidStart: string } | undefined> {
    const { pid, pidStart } = run;
    if (pid !== undefined && pidStart !== undefined)
      return (await isAlive(pid, pidStart)) ? { pid, pidStart } : undefined;
    // We were killed between its start and the record of it.
    const mark = `${markName}=${this.#resultPath(run.key, run.slotAt)}`;
    return (await findMarked(mark)).find((p) => p.mark === mark);
  }

  #resultPath(key: string, slotAt: string): string {
    return resolve(this.#input.files.resultPath(key, slotAt));
  }

  async start(job: Job, slotAt: Instant): Promise<"started" | "already" | "busy"> {
    const { files, clock } = this.#input;
    const known = await files.run(job.key, slotAt);
    const againAtMs = known === undefined ? undefined : retryAtMs(known);
    const isDueAgain = againAtMs !== undefined && clock.nowMs() >= againAtMs;
    if (known !== undefined && known.outcome !== "lost" && !isDueAgain) return "already";
    if (this.#graceMs !== undefined || this.#isBusy(job)) return "busy";
    const base: StoredRun = {
      key: job.key,
      policy: job.policy,
      kind: job.kind,
      slotAt,
      startedAt: instant(clock.nowMs()),
      outcome: "running",
      group: job.group,
      deadlineMs: job.deadlineMs,
      ...(isDueAgain ? { attempt: (known?.attempt ?? 1) + 1 } : {}),
    };
    // Taken without a wait after the look, so that two callers cannot both find the group free.
    const { promise: done, resolve: resolveDone } = Promise.withResolvers<void>();
    const running: Running = { group: job.group, done };
    this.#running.set(job.key, running);
    try {
      await this.#launch(job, base, running, resolveDone);
      return "started";
    } catch (error) {
      this.#running.delete(job.key);
      resolveDone();
      throw error;
    }
  }

  async #launch(job: Job, base: StoredRun, running: Running, resolveDone: () => void): Promise<void> {
    const { files, log } = this.#input;
    const resultPath = this.#resultPath(job.key, base.slotAt);
    await rm(resultPath, { force: true });
    // Recorded before it begins: a kill between the two leaves a run that is lost, never one nobody knows.
    await files.putRun(base);
    const argv = [
      ...this.#input.argv,
      ...job.argv,
      ...(slotted.has(job.kind) ? ["--slot", base.slotAt] : []),
      ...this.#input.extraArgs(),
    ];
    const env = { ...this.#input.env, [markName]: resultPath };
    const started = await startProcess(argv, env, files.logPath(job.key), false);
    running.end = (graceMs) => void endProcess(started.pid, started.pidStart, graceMs);
    if (this.#graceMs !== undefined) running.end(this.#graceMs);
    const run: StoredRun = { ...base, pid: started.pid, pidStart: started.pidStart };
    // From here it runs, whether that can be written down or not.
    await files
      .putRun(run)
      .catch((error: unknown) =>
        log.error("a run could not be recorded", { key: job.key, cause: String(error) }),
      );
    void this.#finish(run, started).finally(resolveDone);
  }

  async #finish(run: StoredRun, started: StartedProcess): Promise<void> {
    let isLate = false;
    const deadline = setTimeout(
      () => {
        isLate = true;
        void endProcess(started.pid, started.pidStart);
      },
      Math.min(run.deadlineMs ?? longestTimerMs, longestTimerMs),
    );
    const end = await started.ended;
    clearTimeout(deadline);
    await this.#record(run, { ...end, isLate });
  }

  async #waitForAdopted(run: StoredRun): Promise<void> {
    const { clock } = this.#input;
    const lateAtMs = Date.parse(run.startedAt) + (run.deadlineMs ?? Number.POSITIVE_INFINITY);
    let isLate = false;
    while (await isAlive(run.pid, run.pidStart)) {
      if (!isLate && clock.nowMs() > lateAtMs) {
        isLate = true;
        void endProcess(run.pid ?? -1, run.pidStart ?? "");
      }
      await clock.wait(adoptLookMs);
    }
    // Its exit status went to a parent that is gone; the result file says how it ended.
    await this.#record(run, { isLate });
  }

  async #record(run: StoredRun, end: End): Promise<void> {
    const { clock } = this.#input;
    const resultPath = this.#resultPath(run.key, run.slotAt);
    const result = await readJson<Result>(resultPath);
    const exitStatus =
      end.exitStatus ?? (result === undefined ? undefined : result.code === undefined ? 0 : 1);
    const finished: StoredRun = {
      ...plainRun(run),
      ...(result ?? {}),
      ...(end.isLate === true && exitStatus !== 0
        ? { message: `ended because it took longer than its deadline of ${(run.deadlineMs ?? 0) / 1000} s` }
        : {}),
      outcome: outcomeOf(exitStatus, result, end),
      finishedAt: instant(clock.nowMs()),
      ...(exitStatus === undefined ? {} : { exitStatus }),
    };
    await this.#keep(finished);
    this.#running.delete(run.key);
    for (const waiter of this.#waiters) waiter(plainRun(finished));
  }

  /** Writes the end down; on a full disk later, because the slot is judged by it. */
  async #keep(run: StoredRun): Promise<void> {
    const { files, clock, log } = this.#input;
    for (;;) {
      try {
        await files.putRun(run);
        return await rm(this.#resultPath(run.key, run.slotAt), { force: true });
      } catch (error) {
        log.error("the end of a run could not be recorded", { key: run.key, cause: String(error) });
        if (this.#graceMs !== undefined) return;
        await clock.wait(writeAgainMs);
      }
    }
  }

  #isBusy(job: Job): boolean {
    const running = [...this.#running.values()];
    return running.some((r) => r.group === job.group) || running.length >= this.#input.maxParallelRuns;
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  next(signal: AbortSignal): Promise<Run> {
    return new Promise((done, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(onRun);
        reject(signal.reason);
      };
      const onRun = (run: Run): void => {
        this.#waiters.delete(onRun);
        signal.removeEventListener("abort", onAbort);
        done(run);
      };
      if (signal.aborted) return reject(signal.reason);
      this.#waiters.add(onRun);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Asks every run to stop and waits; after `graceMs` they are ended. */
  async stop(graceMs: number): Promise<void> {
    this.#graceMs = graceMs;
    const running = [...this.#running.values()];
    for (const run of running) run.end?.(graceMs);
    await Promise.all(running.map((r) => r.done));
  }
}

/** A lost run's slot is run again; one that was too slow is not, or it would be for ever. */
function outcomeOf(exitStatus: number | undefined, result: Result | undefined, end: End): Run["outcome"] {
  if (exitStatus === 0) return "succeeded";
  if (end.isLate === true) return "failed";
  const isInterrupted = exitStatus === exitStatuses.interrupted.status || result?.code === "interrupted";
  return exitStatus === undefined || isInterrupted ? "lost" : "failed";
}
