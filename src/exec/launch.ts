/** What every started program has in common: a small environment, a user, a process group, an end by signal. */
import type { ChildProcess } from "node:child_process";
import { execFileSync } from "node:child_process";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import { redact } from "../secret.ts";

/** The only variables of our own environment a program sees. */
const inherited = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"] as const;

/** Bytes of standard error that are kept, from its end. */
export const stderrKeptBytes = 64 * 1024;
const killAfterMs = 5000;

/** Debian packages of the programs we call, for the hint when one is missing. */
const packages: Readonly<Record<string, string>> = {
  pg_basebackup: "postgresql-client",
  pg_receivewal: "postgresql-client",
  pg_verifybackup: "postgresql",
  pg_combinebackup: "postgresql",
  pg_waldump: "postgresql",
  postgres: "postgresql",
  initdb: "postgresql",
  zstd: "zstd",
  gzip: "gzip",
  igzip: "isal",
  git: "git",
  tar: "tar",
};

export function programName(command: Command): string {
  return command.argv[0].split("/").at(-1) ?? command.argv[0];
}

/** Locale and time zone are fixed because tool output is read by programs. */
export function environment(command: Command): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { LANG: "C.UTF-8", LC_ALL: "C.UTF-8", TZ: "UTC" };
  for (const name of inherited) if (process.env[name] !== undefined) env[name] = process.env[name];
  return { ...env, ...command.env };
}

const identities = new Map<string, { readonly uid: number; readonly gid: number }>();

/** Numbers of the user the command wants, or nothing when we are that user or none is named. @throws tool-failed */
export function identityOf(command: Command): { readonly uid?: number; readonly gid?: number } {
  if (command.user === undefined || process.getuid?.() !== 0) return {};
  const known = identities.get(command.user);
  if (known !== undefined) return known;
  try {
    const read = (flag: string) =>
      Number(execFileSync("id", [flag, command.user ?? ""], { encoding: "utf8" }));
    const found = { uid: read("-u"), gid: read("-g") };
    identities.set(command.user, found);
    return found;
  } catch (cause) {
    throw new HoldfastError("tool-failed", `there is no user '${command.user}' on this machine`, { cause });
  }
}

/** @throws tool-missing for a program that is not there; the error itself otherwise */
export function startFailure(command: Command, error: NodeJS.ErrnoException): HoldfastError {
  const name = programName(command);
  if (error.code !== "ENOENT") {
    return new HoldfastError("tool-failed", `'${name}' could not be started: ${error.message}`, {
      cause: error,
    });
  }
  const wanted = packages[name];
  const hint =
    wanted === undefined ? "install it, or name its folder in PATH" : `install it: apt-get install ${wanted}`;
  return new HoldfastError("tool-missing", `the program '${name}' is not on this machine`, {
    hint,
    cause: error,
  });
}

export interface Ending {
  readonly exitStatus?: number;
  readonly signal?: string;
}

/** The error for a program that has not ended well. */
export function endFailure(command: Command, ending: Ending, stderr: string): HoldfastError {
  const how = ending.signal === undefined ? `exit status ${ending.exitStatus}` : `signal ${ending.signal}`;
  const said = stderr.trim().split("\n").slice(-5).join("\n  ");
  return new HoldfastError(
    "tool-failed",
    `'${programName(command)}' ended with ${how}${said === "" ? "" : `:\n  ${said}`}`,
  );
}

/** Collects the end of a child's standard error; the text is redacted when it is read. */
export function keepStderr(child: ChildProcess): () => string {
  let kept = "";
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (chunk: string) => {
    kept = (kept + chunk).slice(-stderrKeptBytes);
  });
  return () => redact(kept);
}

/** Resolves when the child has ended and its streams are closed. Rejects only when it could not be started. */
export function ending(command: Command, child: ChildProcess): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (child.pid === undefined) reject(startFailure(command, error));
    });
    child.once("close", (code, signal) => {
      resolve({ ...(code === null ? {} : { exitStatus: code }), ...(signal === null ? {} : { signal }) });
    });
  });
}

/** TERM to the whole group, KILL after five seconds; resolves when the child has ended. */
export async function stopGroup(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  signalGroup(pid, signal);
  const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), killAfterMs);
  await gone;
  clearTimeout(timer);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It has ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
