/**
 * Programs joined by descriptors. Each joint is handed to the next program and closed here inside one turn of the
 * event loop, before anything could have been read from it.
 */

import { closeSync } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import type { Pipe, PipeOptions } from "./exec.ts";
import { kernelPipe } from "./kernel-pipe.ts";
import { type Ending, failureOf, type Program, signalGroup, startProgram, stopGroup } from "./program.ts";

/** Starts all of `commands` at once. Reading `output` has to begin in the same turn of the event loop. */
export function startPipe(commands: readonly [Command, ...Command[]], options: PipeOptions): Pipe {
  const { input, outputDescriptor, signal } = options;
  if (signal?.aborted === true) {
    const done = Promise.reject(interruption(signal));
    done.catch(() => undefined);
    return { done, stop: async () => undefined };
  }
  const programs = startAll(commands, input, outputDescriptor);
  const stopAll = () =>
    Promise.all(programs.map((p) => stopGroup(p.child.pid, p.ended))).then(() => undefined);

  let reason: unknown;
  const end = (why: unknown) => {
    reason ??= why;
    void stopAll();
  };
  const fed = feed(programs[0]!, input, end);
  const onAbort = () => end(interruption(signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  const deadline =
    options.deadlineMs === undefined
      ? undefined
      : setTimeout(() => end(lateness(commands, options.deadlineMs)), options.deadlineMs);

  const done = finish(programs, fed, () => reason).finally(() => {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", onAbort);
  });
  // Whoever stops a pipe need not look at how it ended.
  done.catch(() => undefined);

  const last = programs.at(-1)!.child;
  let stopping: Promise<void> | undefined;
  return {
    ...(outputDescriptor === undefined && last.stdout !== null ? { output: last.stdout } : {}),
    done,
    stop: () => {
      reason ??= new HoldfastError("interrupted", `'${programs[0]!.name}' was stopped`);
      last.stdout?.destroy();
      stopping ??= stopAll();
      return stopping;
    },
  };
}

function startAll(
  commands: readonly Command[],
  input: Readable | number | undefined,
  outputDescriptor: number | undefined,
): readonly Program[] {
  const programs: Program[] = [];
  // What the next program reads from: a descriptor of ours, or the socket of the one before.
  let before: Readable | number | undefined;
  try {
    for (const [index, command] of commands.entries()) {
      const isLast = index === commands.length - 1;
      const first = typeof input === "number" ? input : input === undefined ? "ignore" : "pipe";
      const stdin = index === 0 ? first : usable(before);
      const joint = isLast ? undefined : kernelPipe();
      const stdout =
        isLast && outputDescriptor !== undefined ? outputDescriptor : (joint?.writeEnd ?? "pipe");
      try {
        const program = startProgram(command, [stdin, stdout, "pipe"]);
        programs.push(program);
        letGo(before);
        before = joint?.readEnd ?? program.child.stdout ?? undefined;
      } catch (error) {
        letGo(joint?.readEnd);
        throw error;
      } finally {
        // Ours would keep the reader from seeing the end.
        letGo(joint?.writeEnd);
      }
    }
  } catch (error) {
    for (const program of programs) signalGroup(program.child.pid, "SIGKILL");
    letGo(before);
    throw error;
  }
  return programs;
}

/** A program that did not start has no socket; its failure is what `done` tells. */
function usable(before: Readable | number | undefined): Readable | number | "ignore" {
  return before === undefined || (typeof before === "object" && before.destroyed) ? "ignore" : before;
}

function letGo(end: Readable | number | undefined): void {
  if (typeof end === "number") closeSync(end);
  else end?.destroy();
}

/** Resolves when all of `input` has been taken, or when the program no longer wants it. */
async function feed(
  program: Program,
  input: Readable | number | undefined,
  end: (why: unknown) => void,
): Promise<void> {
  if (typeof input !== "object" || program.child.stdin === null) return;
  let failed: unknown;
  input.once("error", (error) => {
    failed = error;
  });
  try {
    await pipeline(input, program.child.stdin);
  } catch (error) {
    // A program that went away is judged by its exit status, or by the input left over.
    // One that was never there closes its end at once, and the input is told of that and nothing else.
    const code = (failed as NodeJS.ErrnoException | undefined)?.code;
    if (failed !== undefined && code !== "EPIPE" && code !== "ERR_STREAM_PREMATURE_CLOSE") end(failed);
    else if (!isClosedPipe(error)) end(error);
    else end(new HoldfastError("tool-failed", `'${program.name}' ended before it had read all of its input`));
  }
}

function isClosedPipe(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function finish(
  programs: readonly Program[],
  fed: Promise<void>,
  reason: () => unknown,
): Promise<{ readonly stderr: readonly string[] }> {
  // The first to fail is the cause; a program beside it fails because its neighbour has gone.
  const order: number[] = [];
  const endings = await Promise.all(
    programs.map(async (program, index): Promise<Ending> => {
      program.child.once("exit", () => order.push(index));
      const ending = await program.ended;
      // The others would wait for ever, or end as if all were well. Those after it have seen the end of input.
      if (failureOf(program.name, ending, "") !== undefined)
        for (const other of programs.slice(0, index)) signalGroup(other.child.pid, "SIGTERM");
      return ending;
    }),
  );
  await fed;
  const inOrder = [...new Set([...order, ...programs.keys()])];
  const failures = inOrder.flatMap((index) => {
    const ending = endings[index]!;
    const stderr = programs[index]!.tail.text;
    const error = failureOf(programs[index]!.name, ending, stderr);
    return error === undefined ? [] : [{ error, isSecondary: isConsequence(ending, stderr) }];
  });
  const cause = reason();
  const missing = failures.find((f) => f.error.code === "tool-missing")?.error;
  const primary = missing ?? failures.find((f) => !f.isSecondary)?.error;
  // Input cut short by a program that failed: its own words are worth more.
  if (cause !== undefined && !(isToolFailure(cause) && primary !== undefined)) throw cause;
  const first = primary ?? failures.at(-1)?.error;
  if (first !== undefined) throw first;
  return { stderr: programs.map((p) => p.tail.text) };
}

/** How a shell tells of a program of its own that died of SIGPIPE or SIGTERM. */
const signalStatuses: readonly number[] = [128 + 13, 128 + 15];

/** A program that could not write any more has failed only because the one after it did. */
function isConsequence(ending: Ending, stderr: string): boolean {
  if (ending.signal === "SIGPIPE" || ending.signal === "SIGTERM") return true;
  if (ending.exitStatus !== undefined && signalStatuses.includes(ending.exitStatus)) return true;
  return /broken pipe|connection reset/i.test(stderr);
}

function isToolFailure(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === "tool-failed";
}

function lateness(commands: readonly Command[], deadlineMs: number | undefined): HoldfastError {
  const names = commands.map((c) => c.argv[0]).join(" | ");
  return new HoldfastError("tool-failed", `'${names}' was not done after ${deadlineMs} ms and was ended`);
}

/** What an abort means to whoever waits: the signal's own error when it is one of ours. */
export function interruption(signal: AbortSignal | undefined): HoldfastError {
  const reason: unknown = signal?.reason;
  return reason instanceof HoldfastError
    ? reason
    : new HoldfastError("interrupted", "interrupted", { cause: reason });
}
