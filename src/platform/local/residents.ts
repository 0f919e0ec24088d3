/** Keeps resident jobs alive: one process each, started again with growing pauses, never two of one. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJson } from "../../json-file.ts";
import type { Job } from "../../state/job.ts";
import { canonicalJob } from "./files.ts";
import { endProcess, startProcess } from "./process.ts";
import type { RunsInput } from "./runs.ts";

const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** A process that has lived so long had begun well, and the next one starts without a pause. */
const settledMs = 60_000;

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
    this.#folder = join(stateDirectory, "residents");
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
    const { clock, log, files } = this.#input;
    const path = join(this.#folder, `${job.key.replaceAll("/", "~")}.json`);
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      const startedAtMs = clock.nowMs();
      const argv = [...this.#input.argv, ...job.argv, ...this.#input.extraArgs()];
      const started = await startProcess(argv, this.#input.env, files.logPath(job.key), true);
      await writeJson(path, {
        key: job.key,
        pid: started.pid,
        pidStart: started.pidStart,
      } satisfies Recorded);
      const onAbort = (): void => void endProcess(started.pid, started.pidStart);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      const end = await started.ended;
      signal.removeEventListener("abort", onAbort);
      await rm(path, { force: true });
      if (signal.aborted) return;
      if (clock.nowMs() - startedAtMs > settledMs) pauseMs = firstPauseMs;
      log.warn("a resident has ended and is started again", {
        key: job.key,
        exitStatus: end.exitStatus ?? null,
        pauseMs,
      });
      await clock.wait(pauseMs * (0.75 + Math.random() / 2), signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  async stop(): Promise<void> {
    await this.keep([]);
  }
}
