/** Starts runs and records how they end, so that another process can go on from the files alone. */
import { rm } from "node:fs/promises";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { readJson } from "../../json-file.ts";
import type { Logger } from "../../log.ts";
import type { Job, Run } from "../../state/job.ts";
import type { Clock } from "../../time/clock.ts";
import type { LocalFiles, StoredRun } from "./files.ts";
import { endProcess, holding, isAlive, isHeld, type StartedProcess, startProcess } from "./process.ts";

const adoptLookMs = 500;
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

export class LocalRuns {
  readonly #input: RunsInput;
  /** Runs under way in this process or adopted from one before, by key. */
  readonly #running = new Map<
    string,
    { readonly job: Job; readonly run: StoredRun; readonly done: Promise<void> }
  >();
  readonly #waiters = new Set<(run: Run) => void>();
  #isStopping = false;

  constructor(input: RunsInput) {
    this.#input = input;
  }

  /** Runs of a process before us: those that live are waited for, the others are lost. */
  async adopt(): Promise<void> {
    const { files } = this.#input;
    for (const run of await files.openRuns()) {
      const job = (await files.job(run.key))?.job;
      if (job !== undefined && (await this.#lives(run))) {
        this.#running.set(run.key, { job, run, done: this.#waitForAdopted(run) });
        continue;
      }
      await this.#record(run, {}, true);
    }
  }

  async start(job: Job, slotAt: Instant): Promise<"started" | "already" | "busy"> {
    const { files, clock } = this.#input;
    const known = await files.run(job.key, slotAt);
    if (known !== undefined && known.outcome !== "lost") return "already";
    if (this.#isStopping || this.#isBusy(job)) return "busy";
    const base: StoredRun = {
      key: job.key,
      policy: job.policy,
      kind: job.kind,
      slotAt,
      startedAt: instant(clock.nowMs()),
      outcome: "running",
    };
    // Taken before the first wait, so that two callers cannot both find the group free.
    let resolveDone: () => void = () => undefined;
    const done = new Promise<void>((resolve) => {
      resolveDone = resolve;
    });
    this.#running.set(job.key, { job, run: base, done });
    try {
      await this.#launch(job, base, resolveDone);
      return "started";
    } catch (error) {
      this.#running.delete(job.key);
      resolveDone();
      throw error;
    }
  }

  async #launch(job: Job, base: StoredRun, resolveDone: () => void): Promise<void> {
    const { files } = this.#input;
    const resultPath = files.resultPath(job.key, base.slotAt);
    await rm(resultPath, { force: true });
    // Recorded before it begins: a kill between the two leaves a run that is lost, never one nobody knows.
    await files.putRun(base);
    const argv = [
      ...holding(files.lockPath(job.key)),
      ...this.#input.argv,
      ...job.argv,
      ...(slotted.has(job.kind) ? ["--slot", base.slotAt] : []),
      ...this.#input.extraArgs(),
    ];
    const started = await startProcess(
      argv,
      { ...this.#input.env, HOLDFAST_RESULT: resultPath },
      files.logPath(job.key),
      false,
    );
    const run: StoredRun = { ...base, pid: started.pid, pidStart: started.pidStart };
    await files.putRun(run);
    void this.#finish(job, run, started).finally(resolveDone);
  }

  async #finish(job: Job, run: StoredRun, started: StartedProcess): Promise<void> {
    const deadline = setTimeout(() => void endProcess(started.pid, started.pidStart), job.deadlineMs);
    const end = await started.ended;
    clearTimeout(deadline);
    await this.#record(run, end, false);
  }

  /** By number, and by its lock where the process before us was killed before it could note the number. */
  async #lives(run: StoredRun): Promise<boolean> {
    return (await isAlive(run.pid, run.pidStart)) || (await isHeld(this.#input.files.lockPath(run.key)));
  }

  async #waitForAdopted(run: StoredRun): Promise<void> {
    while (await this.#lives(run)) await this.#input.clock.wait(adoptLookMs);
    // Its exit status went to a parent that is gone; the result file says how it ended.
    await this.#record(run, {}, false);
  }

  async #record(run: StoredRun, end: { readonly exitStatus?: number }, isLost: boolean): Promise<void> {
    const { files, clock } = this.#input;
    const result = await readJson<Result>(files.resultPath(run.key, run.slotAt));
    const exitStatus =
      end.exitStatus ?? (result === undefined ? undefined : result.code === undefined ? 0 : 1);
    const outcome: Run["outcome"] =
      exitStatus === 0 && (!isLost || result !== undefined)
        ? "succeeded"
        : exitStatus === undefined
          ? "lost"
          : "failed";
    const { pid: _, pidStart: __, ...plain } = run;
    const finished: StoredRun = {
      ...plain,
      ...(result ?? {}),
      outcome,
      finishedAt: instant(clock.nowMs()),
      ...(exitStatus === undefined ? {} : { exitStatus }),
    };
    await files.putRun(finished);
    await rm(files.resultPath(run.key, run.slotAt), { force: true });
    this.#running.delete(run.key);
    for (const waiter of this.#waiters) waiter(finished);
  }

  #isBusy(job: Job): boolean {
    const running = [...this.#running.values()];
    return running.some((r) => r.job.group === job.group) || running.length >= this.#input.maxParallelRuns;
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  next(signal: AbortSignal): Promise<Run> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(onRun);
        reject(signal.reason);
      };
      const onRun = (run: Run): void => {
        this.#waiters.delete(onRun);
        signal.removeEventListener("abort", onAbort);
        resolve(run);
      };
      if (signal.aborted) return reject(signal.reason);
      this.#waiters.add(onRun);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Asks every run to stop and waits; after `graceMs` they are ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    const open = await this.#input.files.openRuns();
    await Promise.all(
      open.map((r) =>
        r.pid === undefined || r.pidStart === undefined ? undefined : endProcess(r.pid, r.pidStart, graceMs),
      ),
    );
    await Promise.all([...this.#running.values()].map((r) => r.done));
  }
}
