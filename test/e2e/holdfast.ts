/** Runs the command line as a person does: a process of its own, judged by output and exit status. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
export const mainPath = join(root, "src/cli/holdfast.mjs");
export const policiesPath = join(root, "policies");

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningHoldfast {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
}

export interface HoldfastOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

/** Starts it in a process group of its own, so that a test can kill it with all it has started. */
export function startHoldfast(args: readonly string[], options: HoldfastOptions = {}): RunningHoldfast {
  const child = spawn(process.execPath, [mainPath, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, NO_COLOR: "1", HOLDFAST_POLICIES: policiesPath, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.deadlineMs ?? 120_000);
  const ended = new Promise<Ran>((resolve) => {
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout, stderr });
    });
  });
  return { child, ended };
}

export async function holdfast(args: readonly string[], options: HoldfastOptions = {}): Promise<Ran> {
  return startHoldfast(args, options).ended;
}
