/**
 * Programs of this machine. Every program has its own process group, so that whatever it has started ends
 * with it; its end is judged by status and signal, never by its output alone.
 */
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import { redact } from "../secret.ts";
import { findProgram } from "./environment.ts";
import type { Exec, Resident, RunOptions, RunResult } from "./exec.ts";
import { interruption, startPipe } from "./pipe.ts";
import { failureOf, startProgram, stopGroup } from "./program.ts";

const stdoutLimitBytes = 16 * 1024 * 1024;
const lineLimitBytes = 64 * 1024;

export function openExec(): Exec {
  return {
    run,
    pipe: (commands, options = {}) => startPipe(commands, options),
    resident,
    find: async (program, places) => findProgram(program, places),
  };
}

async function run(command: Command, options: RunOptions = {}): Promise<RunResult> {
  const { signal, deadlineMs } = options;
  if (signal?.aborted === true) throw interruption(signal);
  const program = startProgram(command, ["pipe", "pipe", "pipe"]);
  const { child, ended, name, tail } = program;
  let stopped: HoldfastError | undefined;
  const stopFor = (reason: HoldfastError): void => {
    stopped ??= reason;
    void stopGroup(child.pid, ended);
  };
  const onAbort = (): void => stopFor(interruption(signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  const deadline =
    deadlineMs === undefined
      ? undefined
      : setTimeout(
          () => stopFor(new HoldfastError("tool-failed", `'${name}' was stopped after ${deadlineMs} ms`)),
          deadlineMs,
        );
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= stdoutLimitBytes) chunks.push(chunk);
    else stopFor(new HoldfastError("tool-failed", `'${name}' printed more than 16 MiB`));
  });
  // A program that does not read its input to the end is judged by its status.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.input ?? "");
  const ending = await ended;
  clearTimeout(deadline);
  signal?.removeEventListener("abort", onAbort);
  if (stopped !== undefined) throw stopped;
  const stderr = tail.text;
  const failure = failureOf(name, ending, stderr, options.accept);
  if (failure !== undefined) throw failure;
  return { exitStatus: ending.exitStatus ?? 0, stdout: Buffer.concat(chunks).toString("utf8"), stderr };
}

/** `setpriv` makes the kernel end the program when this process dies, also by kill -9. */
function resident(command: Command, onLine: (line: string) => void): Resident {
  const guarded: Command = { ...command, argv: ["setpriv", "--pdeathsig", "KILL", "--", ...command.argv] };
  const { child, ended, name, tail } = startProgram(guarded, ["ignore", "pipe", "pipe"]);
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = (lines.pop() ?? "").slice(-lineLimitBytes);
      for (const line of lines) onLine(redact(line));
    });
  }
  return {
    pid: child.pid ?? -1,
    ended: ended.then(({ exitStatus, signal, failure }) => ({
      ...(exitStatus === undefined ? {} : { exitStatus }),
      ...(signal === undefined ? {} : { signal }),
      stderr: failure === undefined ? tail.text : `'${name}' could not be started: ${failure.message}`,
    })),
    stop: (signal) => stopGroup(child.pid, ended, signal),
  };
}
