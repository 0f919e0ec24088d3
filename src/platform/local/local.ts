/**
 * The platform of one machine. Jobs and runs are files, runs are processes, and node-cron is the alarm clock
 * that says "look now": which slot is due is computed by our own calendar, so that a clock change, a sleep
 * and a stopped reconciler are one and the same case.
 */
import { type ScheduledTask, schedule } from "node-cron";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { readJson, writeJson } from "../../json-file.ts";
import type { Logger } from "../../log.ts";
import type { ActualJob, Job, Run } from "../../state/job.ts";
import { retryAtMs } from "../../state/retry.ts";
import type { Clock } from "../../time/clock.ts";
import { lastAtOrBefore, parseCron } from "../../time/cron.ts";
import type { Platform } from "../platform.ts";
import { canonicalJob, type LocalFiles, openLocalFiles, plainRun, type StoredJob } from "./files.ts";
import { LocalResidents } from "./residents.ts";
import { LocalRuns } from "./runs.ts";

export interface LocalPlatformOptions {
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What stands before a job's own arguments: node and the program. */
  readonly argv: readonly string[];
  /** What stands after them; read at each start. */
  readonly extraArgs?: () => readonly string[];
  readonly maxParallelRuns: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Also looked at without an alarm, because an alarm can be missed. */
const lookEveryMs = 15_000;

/** Opens the state folder; nothing runs before `start`. */
export function openLocalPlatform(options: LocalPlatformOptions): Platform {
  const { clock, log } = options;
  let opened: Promise<{ files: LocalFiles; runs: LocalRuns; residents: LocalResidents }> | undefined;
  const open = () => {
    opened ??= (async () => {
      const files = await openLocalFiles(options.stateDirectory);
      const input = {
        files,
        clock,
        log,
        argv: options.argv,
        extraArgs: options.extraArgs ?? (() => []),
        env: options.env ?? process.env,
        maxParallelRuns: options.maxParallelRuns,
      };
      return {
        files,
        runs: new LocalRuns(input),
        residents: new LocalResidents(input, options.stateDirectory),
      };
    })();
    return opened;
  };
  const alarms = new Map<string, { readonly definition: string; readonly task: ScheduledTask }>();
  const stopping = new AbortController();
  let looking: Promise<void> | undefined;
  let isStarted = false;

  /** Starts every slot that is due. One look at a time; a second call waits for the one under way. */
  const look = async (): Promise<void> => {
    const { files, runs, residents } = await open();
    const stored = await files.jobs();
    setAlarms(alarms, stored, () => void ring());
    await residents.keep(
      stored.map((s) => s.job).filter((j) => j.schedule.kind === "resident" && !j.suspended),
    );
    for (const { job, since } of stored) {
      if (stopping.signal.aborted) return;
      const slotMs = job.suspended ? undefined : dueSlot(job, clock.nowMs());
      if (slotMs === undefined) continue;
      try {
        const newest = await files.newestRun(job.key);
        const newestMs = newest === undefined ? Number.NEGATIVE_INFINITY : Date.parse(newest.slotAt);
        // A run asked for since the last slot counts for it, and is tried again like any other.
        const slotAt = instant(Math.max(slotMs, newestMs));
        if (newestMs < slotMs && slotMs <= Date.parse(since)) continue;
        if (newestMs >= slotMs && !isDueAgain(newest, clock.nowMs())) continue;
        await runs.start(job, slotAt);
      } catch (error) {
        // The other jobs are due all the same.
        log.error("a run could not be started", { key: job.key, cause: String(error) });
      }
    }
  };
  const ring = (): Promise<void> => {
    if (!isStarted || stopping.signal.aborted) return Promise.resolve();
    looking ??= look()
      .catch((error: unknown) => log.error("the schedule could not be looked at", { cause: String(error) }))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };

  return {
    name: "local",
    observe: async () => {
      const { files, runs, residents } = await open();
      const revision = (await readJson<{ revision: string }>(files.revisionPath))?.revision ?? "";
      const jobs: ActualJob[] = [];
      for (const stored of await files.jobs()) {
        const { job, since } = stored;
        const history = await files.runs(job.key);
        jobs.push({
          job,
          revision: stored.revision,
          ours: stored.written === canonicalJob(job),
          running:
            runs.isRunning(job.key) ||
            residents.isRunning(job.key) ||
            history.some((r) => r.outcome === "running"),
          runs: history.map(plainRun),
          since,
        });
      }
      return { revision, jobs };
    },
    putJob: async (job, revision) => {
      const { files } = await open();
      const known = await files.job(job.key);
      const since = known?.since ?? instant(clock.nowMs());
      await files.putJob({ job, revision, since, written: canonicalJob(job) });
      await ring();
    },
    removeJob: async (key) => {
      await (await open()).files.removeJob(key);
      await ring();
    },
    startRun: async (key, slotAt) => {
      const { files, runs } = await open();
      const stored = await files.job(key);
      if (stored === undefined) throw new HoldfastError("usage", `there is no job '${key}'`);
      return runs.start(stored.job, slotAt);
    },
    logTail: async (key, bytes) => (await open()).files.logTail(key, bytes),
    setRevision: async (revision) => {
      const { files } = await open();
      await writeJson(files.revisionPath, { revision });
    },
    nextRunEnd: async (signal) => (await open()).runs.next(signal),
    start: async () => {
      const { runs, residents } = await open();
      await residents.endOrphans();
      await runs.adopt();
      isStarted = true;
      await ring();
      void everySoOften(clock, stopping.signal, ring);
      void afterEachRun(runs, stopping.signal, ring);
    },
    stop: async (graceMs) => {
      stopping.abort();
      for (const { task } of alarms.values()) await task.destroy();
      alarms.clear();
      if (!isStarted) return;
      await looking;
      const { runs, residents } = await open();
      await Promise.all([runs.stop(graceMs), residents.stop()]);
    },
  };
}

async function everySoOften(clock: Clock, signal: AbortSignal, ring: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await clock.wait(lookEveryMs, signal).catch(() => undefined);
    await ring();
  }
}

/** A run that was due while its group was busy begins when the group is free. */
async function afterEachRun(runs: LocalRuns, signal: AbortSignal, ring: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await runs.next(signal).catch(() => undefined);
    await ring();
  }
}

function isDueAgain(run: Run | undefined, nowMs: number): boolean {
  if (run === undefined || run.outcome === "lost") return true;
  const atMs = retryAtMs(run);
  return atMs !== undefined && nowMs >= atMs;
}

/** The newest instant of the job's schedule that has passed. */
function dueSlot(job: Job, nowMs: number): number | undefined {
  if (job.schedule.kind !== "cron") return undefined;
  const cron = parseCron(job.schedule.cron);
  return "error" in cron ? undefined : lastAtOrBefore(cron, job.schedule.timeZone, nowMs);
}

/**
 * An alarm rings at the hours and minutes of its job on every day: node-cron reads less than our calendar
 * (it refuses `3/15`), a look is cheap, and what is due is not its to decide.
 */
function setAlarms(
  alarms: Map<string, { readonly definition: string; readonly task: ScheduledTask }>,
  stored: readonly StoredJob[],
  ring: () => void,
): void {
  const wanted = new Map<string, { readonly times: string; readonly timeZone: string }>();
  for (const { job } of stored) {
    if (job.schedule.kind !== "cron" || job.suspended) continue;
    const cron = parseCron(job.schedule.cron);
    if ("error" in cron) continue;
    const times = `${cron.minutes.join(",")} ${cron.hours.join(",")} * * *`;
    wanted.set(job.key, { times, timeZone: job.schedule.timeZone });
  }
  for (const [key, { definition, task }] of alarms) {
    const still = wanted.get(key);
    if (still !== undefined && definition === `${still.times} ${still.timeZone}`) continue;
    void task.destroy();
    alarms.delete(key);
  }
  for (const [key, { times, timeZone }] of wanted) {
    if (alarms.has(key)) continue;
    const task = schedule(times, ring, { timezone: timeZone, noOverlap: false });
    alarms.set(key, { definition: `${times} ${timeZone}`, task });
  }
}
