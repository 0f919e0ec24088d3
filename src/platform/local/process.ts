/** Runs of Holdfast's own verbs as processes: a log file, an end by signal, a mark to find them again by. */
import { spawn } from "node:child_process";
import { closeSync, openSync, renameSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { exitStatuses } from "../../errors.ts";
import { processStart } from "../../process-start.ts";

const logLimitBytes = 1024 * 1024;
const killAfterMs = 20_000;

export interface StartedProcess {
  readonly pid: number;
  readonly pidStart: string;
  /** Undefined status: it died by a signal. */
  readonly ended: Promise<{ readonly exitStatus?: number }>;
}

/** Starts `argv` in a process group of its own, output appended to `logPath`. */
export async function startProcess(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  logPath: string,
  diesWithUs: boolean,
): Promise<StartedProcess> {
  rotate(logPath);
  const log = openSync(logPath, "a", 0o600);
  // A resident must not outlive the reconciler that would start a second one.
  const [file = "", ...rest] = diesWithUs ? ["setpriv", "--pdeathsig", "TERM", "--", ...argv] : argv;
  const child = spawn(file, rest, { env, stdio: ["ignore", log, log], detached: true });
  closeSync(log);
  const ended = new Promise<{ readonly exitStatus?: number }>((resolve) => {
    child.once("error", () => resolve({ exitStatus: 127 }));
    child.once("exit", (code) => resolve(code === null ? {} : { exitStatus: code }));
  });
  const pid = child.pid ?? -1;
  return { pid, pidStart: (await processStart(pid)) ?? "", ended };
}

function rotate(path: string): void {
  try {
    if (statSync(path).size > logLimitBytes) renameSync(path, `${path}.old`);
  } catch {
    // There is no log yet.
  }
}

/** Whether the very process that was recorded is still there. */
export async function isAlive(pid: number | undefined, pidStart: string | undefined): Promise<boolean> {
  if (pid === undefined || pid <= 0 || pidStart === undefined || pidStart === "") return false;
  return (await processStart(pid)) === pidStart;
}

/** Prefix that makes the program hold `path` as long as it lives, and end with `locked` when another one does. */
export function holding(path: string): readonly string[] {
  return [
    "flock",
    "--nonblock",
    "--conflict-exit-code",
    String(exitStatuses.locked.status),
    "--no-fork",
    path,
  ];
}

/** Whether a living program holds `path`. */
export async function isHeld(path: string): Promise<boolean> {
  const child = spawn("flock", ["--nonblock", path, "true"], { stdio: "ignore" });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code !== 0));
  });
}

export interface FoundProcess {
  readonly pid: number;
  readonly pidStart: string;
  /** The variable as it stands in the process, with its value. */
  readonly mark: string;
}

/**
 * Leaders of process groups that were started with a variable that begins with `prefix`. A process is marked
 * from its first moment, also where the one that started it was killed before it could write its number down.
 */
export async function findMarked(prefix: string): Promise<readonly FoundProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid): Promise<FoundProcess | undefined> => {
      const variables = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      const mark = variables.split("\0").find((v) => v.startsWith(prefix));
      if (mark === undefined || pid === process.pid) return undefined;
      const pidStart = await processStart(pid);
      return pidStart !== undefined && (await isLeader(pid)) ? { pid, pidStart, mark } : undefined;
    }),
  );
  return found.filter((p) => p !== undefined);
}

/** What a run starts inherits the mark; only the run itself leads its group. */
async function isLeader(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[2] === String(pid);
}

/** TERM to the group, KILL later; resolves when the process is gone. */
export async function endProcess(pid: number, pidStart: string, graceMs = killAfterMs): Promise<void> {
  if (!(await isAlive(pid, pidStart))) return;
  signalGroup(pid, "SIGTERM");
  const killAtMs = Date.now() + graceMs;
  let isKilled = false;
  while (await isAlive(pid, pidStart)) {
    if (!isKilled && Date.now() > killAtMs) {
      signalGroup(pid, "SIGKILL");
      isKilled = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone between the look and the signal.
  }
}
