/** What the local platform keeps on disk: jobs and runs, each a small file of its own. */
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { compactInstant } from "../../catalogue/instant.ts";
import { readJson, writeJson } from "../../json-file.ts";
import type { Job, Run } from "../../state/job.ts";

export const runsKept = 50;

export interface StoredJob {
  readonly job: Job;
  readonly revision: string;
  /** When this platform first had the key. */
  readonly since: string;
  /** The definition as we wrote it; another one in `job` is somebody else's work. */
  readonly written: string;
}

/** A run with the process that does it, and what is needed to watch it when its job is gone. */
export interface StoredRun extends Run {
  readonly pid?: number;
  readonly pidStart?: string;
  readonly group?: string;
  readonly deadlineMs?: number;
}

/** Only what the contract knows. */
export function plainRun({ pid: _, pidStart: __, group: ___, deadlineMs: ____, ...run }: StoredRun): Run {
  return run;
}

export interface LocalFiles {
  jobs(): Promise<readonly StoredJob[]>;
  job(key: string): Promise<StoredJob | undefined>;
  putJob(stored: StoredJob): Promise<void>;
  removeJob(key: string): Promise<void>;
  /** Newest slot first. */
  runs(key: string): Promise<readonly StoredRun[]>;
  /** The run of the newest slot; reads one file where `runs` reads all. */
  newestRun(key: string): Promise<StoredRun | undefined>;
  run(key: string, slotAt: string): Promise<StoredRun | undefined>;
  putRun(run: StoredRun): Promise<void>;
  /** Every run that has no end yet. */
  openRuns(): Promise<readonly StoredRun[]>;
  resultPath(key: string, slotAt: string): string;
  logPath(key: string): string;
  /** The end of the log, from the beginning of a line on. */
  logTail(key: string, bytes: number): Promise<string>;
  /** Held by the run's own process for as long as it lives. */
  lockPath(key: string): string;
  readonly revisionPath: string;
}

/** A key as a file name; reversible is not needed, the key stands in the file. */
function nameOf(key: string): string {
  return key.replaceAll("/", "~");
}

export async function openLocalFiles(stateDirectory: string): Promise<LocalFiles> {
  const folders = {
    jobs: join(stateDirectory, "jobs"),
    runs: join(stateDirectory, "runs"),
    results: join(stateDirectory, "results"),
    logs: join(stateDirectory, "logs"),
  };
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
  const jobPath = (key: string) => join(folders.jobs, `${nameOf(key)}.json`);
  const logPath = (key: string) => join(folders.logs, `${nameOf(key)}.log`);
  const runFolder = (key: string) => join(folders.runs, nameOf(key));
  const runName = (slotAt: string) => `${compactInstant(Date.parse(slotAt))}.json`;

  const runNames = async (key: string): Promise<readonly string[]> =>
    (await readdir(runFolder(key)).catch(() => []))
      .filter((n) => n.endsWith(".json"))
      .sort()
      .reverse();
  const runs = async (key: string): Promise<readonly StoredRun[]> => {
    const names = await runNames(key);
    for (const old of names.slice(runsKept)) await rm(join(runFolder(key), old), { force: true });
    const read = await Promise.all(
      names.slice(0, runsKept).map((n) => readJson<StoredRun>(join(runFolder(key), n))),
    );
    return read.filter((r) => r !== undefined);
  };
  return {
    revisionPath: join(stateDirectory, "applied.json"),
    jobs: async () => {
      const names = (await readdir(folders.jobs)).filter((n) => n.endsWith(".json")).sort();
      const read = await Promise.all(names.map((n) => readJson<StoredJob>(join(folders.jobs, n))));
      return read.filter((j) => j !== undefined);
    },
    job: (key) => readJson<StoredJob>(jobPath(key)),
    putJob: (stored) => writeJson(jobPath(stored.job.key), stored),
    removeJob: (key) => rm(jobPath(key), { force: true }),
    runs,
    newestRun: async (key) => {
      for (const name of await runNames(key)) {
        const run = await readJson<StoredRun>(join(runFolder(key), name));
        if (run !== undefined) return run;
      }
      return undefined;
    },
    run: (key, slotAt) => readJson<StoredRun>(join(runFolder(key), runName(slotAt))),
    putRun: async (run) => {
      await mkdir(runFolder(run.key), { recursive: true });
      await writeJson(join(runFolder(run.key), runName(run.slotAt)), run);
    },
    openRuns: async () => {
      const keys = await readdir(folders.runs);
      const all = await Promise.all(keys.map((name) => runs(name.replaceAll("~", "/"))));
      return all.flat().filter((r) => r.outcome === "running");
    },
    resultPath: (key, slotAt) =>
      join(folders.results, `${nameOf(key)}-${compactInstant(Date.parse(slotAt))}.json`),
    logPath,
    logTail: (key, bytes) => tailOf(logPath(key), bytes),
    lockPath: (key) => join(folders.runs, nameOf(key), "lock"),
  };
}

/** The definition in one text, to see whether two are the same. */
export function canonicalJob(job: Job): string {
  return JSON.stringify(job, (_, value: unknown) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Empty when there is no file. */
async function tailOf(path: string, bytes: number): Promise<string> {
  const handle = await open(path, "r").catch(() => undefined);
  if (handle === undefined) return "";
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.toString("utf8", 0, bytesRead);
    // A line that was cut could hide half a secret from whoever redacts.
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    await handle.close();
  }
}
