/**
 * One child process in a process group of its own, so that ending it ends its children too. When we are
 * killed ourselves, a child sees the end of its input or SIGPIPE on its output; residents get KILL.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import { redact } from "../secret.ts";
import { surroundings } from "./environment.ts";
import { installHint } from "./packages.ts";

const tailBytes = 64 * 1024;
export const killAfterMs = 5_000;

/** The last 64 KiB of a stream, redacted when read. */
export class Tail {
  #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > 2 * tailBytes || this.#chunks.length > 1024) {
      const kept = Buffer.concat(this.#chunks).subarray(-tailBytes);
      this.#chunks = [Buffer.from(kept)];
      this.#size = kept.length;
    }
  }

  get text(): string {
    const all = Buffer.concat(this.#chunks);
    if (all.length <= tailBytes) return redact(all.toString("utf8"));
    // Redacted before it is cut: the cut could go through a secret and leave half of it.
    return redact(all.toString("utf8")).slice(-tailBytes);
  }
}

export interface Ending {
  readonly exitStatus?: number;
  readonly signal?: string;
  /** It never started. */
  readonly failure?: NodeJS.ErrnoException;
}

export interface Program {
  readonly name: string;
  readonly child: ChildProcess;
  readonly tail: Tail;
  /** Resolves when the process has ended and its streams are closed; never rejects. */
  readonly ended: Promise<Ending>;
}

/** Starts `command`. Failing to start shows in `ended`. */
export function startProgram(command: Command, stdio: StdioOptions): Program {
  const [name, ...rest] = command.argv;
  const child = spawn(name, rest, { ...surroundings(command), stdio, detached: true });
  const tail = new Tail();
  child.stderr?.on("data", (chunk: Buffer | string) =>
    tail.add(typeof chunk === "string" ? Buffer.from(chunk) : chunk),
  );
  child.stderr?.on("error", () => undefined);
  const ended = new Promise<Ending>((resolve) => {
    child.once("error", (failure) => resolve({ failure }));
    child.once("close", (code, signal) =>
      resolve({ ...(code === null ? {} : { exitStatus: code }), ...(signal === null ? {} : { signal }) }),
    );
  });
  return { name, child, tail, ended };
}

/** Signals the group; a group that is gone is fine. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** TERM, after five seconds KILL, to the whole group; resolves when `ended` does. */
export async function stopGroup(
  pid: number | undefined,
  ended: Promise<unknown>,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<void> {
  signalGroup(pid, signal);
  const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), killAfterMs);
  try {
    await ended;
  } finally {
    clearTimeout(timer);
    // The leader may have gone before its children.
    signalGroup(pid, "SIGKILL");
  }
  for (let waitedMs = 0; isGroupThere(pid) && waitedMs < groupEndMs; waitedMs += 10) await sleep(10);
}

/** A killed process still exists until its parent has looked; under a lazy init that may be for ever. */
const groupEndMs = 500;

function isGroupThere(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The error for a program that did not start or did not end with an accepted status; undefined when all is well. */
export function failureOf(
  name: string,
  ending: Ending,
  stderr: string,
  accept: readonly number[] = [0],
): HoldfastError | undefined {
  if (ending.failure !== undefined) return startFailure(name, ending.failure);
  if (ending.exitStatus !== undefined && accept.includes(ending.exitStatus)) return undefined;
  const how =
    ending.signal === undefined ? `ended with status ${ending.exitStatus}` : `was ended by ${ending.signal}`;
  const said = lastLines(stderr);
  return new HoldfastError("tool-failed", `'${name}' ${how}${said === "" ? "" : `: ${said}`}`);
}

/** @param failure what spawn said */
export function startFailure(name: string, failure: NodeJS.ErrnoException): HoldfastError {
  if (failure.code === "ENOENT")
    return new HoldfastError("tool-missing", `the program '${name}' or its folder is not there`, {
      hint: installHint(name),
      cause: failure,
    });
  return new HoldfastError(
    "tool-failed",
    `'${name}' could not be started: ${failure.code ?? failure.message}`,
    {
      cause: failure,
    },
  );
}

function lastLines(stderr: string): string {
  return stderr.trim().split("\n").slice(-5).join("\n").slice(-2000);
}
