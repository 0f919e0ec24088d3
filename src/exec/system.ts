/**
 * Programs of this machine. execa runs the short ones; pipes and residents are spawned here because their
 * descriptors are handed from program to program. Every program has its own process group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import { redact } from "../secret.ts";
import type { Exec, Pipe, PipeOptions, Resident, RunOptions, RunResult } from "./exec.ts";
import { openFifo } from "./fifo.ts";
import {
  type Ending,
  endFailure,
  ending,
  environment,
  identityOf,
  keepStderr,
  programName,
  startFailure,
  stderrKeptBytes,
  stopGroup,
} from "./launch.ts";

const stdoutLimitBytes = 16 * 1024 * 1024;

export function openExec(): Exec {
  return { run, pipe, resident, find };
}

async function run(command: Command, options: RunOptions = {}): Promise<RunResult> {
  const [file, ...rest] = command.argv;
  const result = await execa(file, rest, {
    env: environment(command),
    extendEnv: false,
    ...identityOf(command),
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    ...(options.deadlineMs === undefined ? {} : { timeout: options.deadlineMs }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    maxBuffer: stdoutLimitBytes,
    stripFinalNewline: false,
    reject: false,
  });
  if (result.isCanceled) throw interruption(options.signal);
  const stderr = redact(result.stderr.slice(-stderrKeptBytes));
  if (result.timedOut) {
    throw new HoldfastError(
      "tool-failed",
      `'${programName(command)}' was stopped after ${options.deadlineMs} ms`,
    );
  }
  if (result.isMaxBuffer)
    throw new HoldfastError("tool-failed", `'${programName(command)}' printed over 16 MiB`);
  if (result.exitCode === undefined && result.signal === undefined) {
    throw startFailure(command, (result.cause ?? new Error("unknown")) as NodeJS.ErrnoException);
  }
  const exitStatus = result.exitCode ?? -1;
  if (!(options.accept ?? [0]).includes(exitStatus)) {
    const end: Ending = result.signal === undefined ? { exitStatus } : { signal: result.signal };
    throw endFailure(command, end, stderr);
  }
  return { exitStatus, stdout: result.stdout, stderr };
}

function interruption(signal: AbortSignal | undefined): HoldfastError {
  const reason: unknown = signal?.reason;
  return reason instanceof HoldfastError
    ? reason
    : new HoldfastError("interrupted", "stopped", { cause: reason });
}

interface Member {
  readonly command: Command;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<Ending>;
}

function launch(command: Command, stdin: number | "pipe" | "ignore", stdout: number | "pipe"): Member {
  const [file, ...rest] = command.argv;
  const child = spawn(file, rest, {
    env: environment(command),
    ...identityOf(command),
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    stdio: [stdin, stdout, "pipe"],
    detached: true,
  });
  const ended = ending(command, child);
  ended.catch(() => undefined);
  return { command, child, stderr: keepStderr(child), ended };
}

function pipe(commands: readonly [Command, ...Command[]], options: PipeOptions = {}): Pipe {
  options.signal?.throwIfAborted();
  const members: Member[] = [];
  const ours: number[] = [];
  try {
    let stdin: number | "pipe" | "ignore" =
      options.input === undefined ? "ignore" : typeof options.input === "number" ? options.input : "pipe";
    for (const [index, command] of commands.entries()) {
      if (index === commands.length - 1) {
        members.push(launch(command, stdin, options.outputDescriptor ?? "pipe"));
        break;
      }
      const ends = openFifo();
      ours.push(ends.readDescriptor, ends.writeDescriptor);
      members.push(launch(command, stdin, ends.writeDescriptor));
      stdin = ends.readDescriptor;
    }
  } catch (error) {
    for (const { child } of members) void stopGroup(child);
    throw error;
  } finally {
    // The programs have their own copies; ours would keep a reader waiting for an end that never comes.
    for (const descriptor of ours) closeSync(descriptor);
  }
  const stop = async (): Promise<void> => {
    await Promise.all(members.map(({ child }) => stopGroup(child)));
  };
  const output = members.at(-1)?.child.stdout ?? undefined;
  return {
    ...(output === undefined ? {} : { output: output as Readable }),
    done: finish(members, options, stop),
    stop,
  };
}

async function finish(
  members: readonly Member[],
  options: PipeOptions,
  stop: () => Promise<void>,
): Promise<{ readonly stderr: readonly string[] }> {
  let stopped: HoldfastError | undefined;
  const stopFor = (reason: HoldfastError): void => {
    stopped ??= reason;
    void stop();
  };
  const onAbort = (): void => stopFor(interruption(options.signal));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer =
    options.deadlineMs === undefined
      ? undefined
      : setTimeout(
          () => stopFor(new HoldfastError("tool-failed", `stopped after ${options.deadlineMs} ms`)),
          options.deadlineMs,
        );
  try {
    const feeding = feed(members[0], options.input);
    const endings = await Promise.allSettled(members.map((m) => m.ended));
    const feedFailure = await feeding;
    if (stopped !== undefined) throw stopped;
    // The first that failed is the cause; those after it often end badly only because of it, and those
    // before it with a broken pipe.
    const failures = members.flatMap((member, index) => {
      const end = endings[index];
      if (end?.status === "rejected") return [{ error: end.reason as Error, isBrokenPipe: false }];
      if (end === undefined || end.value.exitStatus === 0) return [];
      const error = endFailure(member.command, end.value, member.stderr());
      return [
        { error, isBrokenPipe: end.value.signal === "SIGPIPE" || /broken pipe/i.test(member.stderr()) },
      ];
    });
    const first = failures.find((f) => !f.isBrokenPipe) ?? failures[0];
    // A source that broke off is the cause of whatever the programs then said.
    if (
      feedFailure !== undefined &&
      (first === undefined || first.isBrokenPipe || !isBrokenPipe(feedFailure))
    )
      throw feedFailure;
    if (first !== undefined) throw first.error;
    return { stderr: members.map((m) => m.stderr()) };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

function isBrokenPipe(error: Error): boolean {
  return ["EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}

/** Copies a stream into the first program; resolves with what went wrong, because the program's own end counts more. */
async function feed(first: Member | undefined, input: PipeOptions["input"]): Promise<Error | undefined> {
  const stdin = first?.child.stdin;
  if (stdin === null || stdin === undefined || input === undefined || typeof input === "number")
    return undefined;
  try {
    await pipeline(input, stdin);
    return undefined;
  } catch (error) {
    // The end of a stream that broke off must not look like the end of the data.
    if (!isBrokenPipe(error as Error)) await stopGroup(first?.child as ChildProcess, "SIGKILL");
    return error as Error;
  }
}

/** `setpriv` makes the kernel end the program when we die, also by kill -9. */
function resident(command: Command, onLine: (line: string) => void): Resident {
  const guarded: Command = { ...command, argv: ["setpriv", "--pdeathsig", "KILL", "--", ...command.argv] };
  const member = launch(guarded, "ignore", "pipe");
  const { child } = member;
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.on("data", (chunk: Buffer | string) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = (lines.pop() ?? "").slice(-stderrKeptBytes);
      for (const line of lines) onLine(redact(line));
    });
  }
  const ended = member.ended.then(
    (end) => ({ ...end, stderr: member.stderr() }),
    (error: Error) => ({ stderr: error.message }),
  );
  return { pid: child.pid ?? -1, ended, stop: (signal) => stopGroup(child, signal) };
}

async function find(program: string, places: readonly string[] = []): Promise<string | undefined> {
  for (const folder of [...places, ...(process.env["PATH"] ?? "").split(":")]) {
    const path = join(folder === "" ? "." : folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}
