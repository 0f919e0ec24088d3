/** Keeps resident jobs alive: one process each, started again with growing pauses, never two of one. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { instant } from "../../catalogue/instant.ts";
import { readJson, writeJson } from "../../json-file.ts";
import type { Job, Run } from "../../state/job.ts";
import { canonicalJob } from "./files.ts";
import { endProcess, findMarked, type StartedProcess, startProcess } from "./process.ts";
import type { RunsInput } from "./runs.ts";

const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** A process that has lived so long had begun well, and the next one starts without a pause. */
const settledMs = 60_000;
/** Its value is the record's path; by it a resident is found whose record was never written. */
const markName = "HOLDFAST_RESIDENT";

/** Where the program says how it ended. */
const resultName = "HOLDFAST_RESULT";
/** Residents have no slot; this one keeps the names of their results apart from those of runs. */
const residentSlot = "1970-01-01T00:00:00.000Z";

interface End {
  /** Null when it died by a signal or never began. */
  readonly exitStatus: number | null;
  /** Why it never began. */
  readonly cause?: string;
}

interface Recorded {
  readonly key: string;
  readonly pid: number;
  readonly pidStart: string;
}

interface Kept {
  readonly definition: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class LocalResidents {
  readonly #input: RunsInput;
  readonly #folder: string;
  readonly #kept = new Map<string, Kept>();

  constructor(input: RunsInput, stateDirectory: string) {
    this.#input = input;
    this.#folder = join(resolve(stateDirectory), "residents");
  }

  /** Ends residents that have outlived the process which kept them. */
  async endOrphans(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const recorded = await readJson<Recorded>(path);
      if (recorded !== undefined) await endProcess(recorded.pid, recorded.pidStart);
      await rm(path, { force: true });
    }
    const unrecorded = await findMarked(`${markName}=${this.#folder}/`);
    await Promise.all(unrecorded.map((p) => endProcess(p.pid, p.pidStart)));
  }

  isRunning(key: string): boolean {
    return this.#kept.has(key);
  }

  /** After it exactly the wanted ones are kept, each with its present definition. */
  async keep(wanted: readonly Job[]): Promise<void> {
    const definitions = new Map(wanted.map((job) => [job.key, this.#definition(job)]));
    for (const [key, kept] of this.#kept) {
      if (definitions.get(key) === kept.definition) continue;
      kept.stop.abort();
      await kept.ended;
      this.#kept.delete(key);
    }
    for (const job of wanted) {
      if (this.#kept.has(job.key)) continue;
      const stop = new AbortController();
      this.#kept.set(job.key, {
        definition: this.#definition(job),
        stop,
        ended: this.#live(job, stop.signal),
      });
    }
  }

  /** The bundle is part of it: a resident works with the policies it was started with. */
  #definition(job: Job): string {
    return `${canonicalJob(job)} ${this.#input.extraArgs().join(" ")}`;
  }

  async #live(job: Job, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#input;
    const path = join(this.#folder, `${job.key.replaceAll("/", "~")}.json`);
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      const startedAtMs = clock.nowMs();
      const settled = this.#sayWhenSettled(job, signal);
      const end = await this.#once(job, path, signal).catch(
        (error: unknown): End => ({
          exitStatus: null,
          cause: String(error),
        }),
      );
      settled.abort();
      await rm(path, { force: true }).catch(() => undefined);
      if (signal.aborted) return;
      if (clock.nowMs() - startedAtMs > settledMs) pauseMs = firstPauseMs;
      else
        await this.#remember(job, startedAtMs, end).catch((error: unknown) =>
          log.error("the end of a resident could not be recorded", { key: job.key, cause: String(error) }),
        );
      log.warn("a resident has ended and is started again", { key: job.key, ...end, pauseMs });
      await clock.wait(pauseMs * (0.75 + Math.random() / 2), signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  /** A resident that ends soon after its start has failed: what it said of the cause is kept as a run. */
  async #remember(job: Job, startedAtMs: number, end: End): Promise<void> {
    const { files, clock } = this.#input;
    const result = await readJson<Partial<Pick<Run, "code" | "message">>>(this.#resultPath(job));
    const message = result?.message ?? end.cause;
    await files.putRun({
      ...lifeOf(job, startedAtMs, clock.nowMs(), "failed"),
      ...(end.exitStatus === null ? {} : { exitStatus: end.exitStatus }),
      ...(result?.code === undefined ? {} : { code: result.code }),
      ...(message === undefined ? {} : { message }),
    });
  }

  /** Takes a remembered failure back once the resident has lived for a while. */
  #sayWhenSettled(job: Job, signal: AbortSignal): AbortController {
    const { files, clock, log } = this.#input;
    const ended = new AbortController();
    const startedAtMs = clock.nowMs();
    void clock
      .wait(settledMs, AbortSignal.any([signal, ended.signal]))
      .then(async () => {
        if ((await files.newestRun(job.key))?.outcome !== "failed") return;
        await files.putRun(lifeOf(job, startedAtMs, clock.nowMs(), "succeeded"));
      })
      .catch((error: unknown) => {
        if (!ended.signal.aborted && !signal.aborted)
          log.error("a resident's recovery could not be recorded", { key: job.key, cause: String(error) });
      });
    return ended;
  }

  #resultPath(job: Job): string {
    return resolve(this.#input.files.resultPath(job.key, residentSlot));
  }

  /** One life of the resident. */
  async #once(job: Job, path: string, signal: AbortSignal): Promise<End> {
    const { files, log, argv, extraArgs } = this.#input;
    const resultPath = this.#resultPath(job);
    await rm(resultPath, { force: true });
    const env = { ...this.#input.env, [markName]: path, [resultName]: resultPath };
    const all = [...argv, ...job.argv, ...extraArgs()];
    const started: StartedProcess = await startProcess(all, env, files.logPath(job.key), true);
    const record: Recorded = { key: job.key, pid: started.pid, pidStart: started.pidStart };
    // A full disk is no reason to stop receiving: the mark finds it too.
    await writeJson(path, record).catch((error: unknown) =>
      log.error("a resident could not be recorded", { key: job.key, cause: String(error) }),
    );
    const onAbort = (): void => void endProcess(started.pid, started.pidStart);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const end = await started.ended;
    signal.removeEventListener("abort", onAbort);
    return { exitStatus: end.exitStatus ?? null };
  }

  async stop(): Promise<void> {
    await this.keep([]);
  }
}

function lifeOf(job: Job, startedAtMs: number, endedAtMs: number, outcome: Run["outcome"]): Run {
  const startedAt = instant(startedAtMs);
  const { key, policy, kind } = job;
  return { key, policy, kind, slotAt: startedAt, startedAt, finishedAt: instant(endedAtMs), outcome };
}
