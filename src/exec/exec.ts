/** The contract for running programs: argv arrays, no shell, a deadline, secrets never in argv. */
import type { Readable } from "node:stream";
import type { Command } from "../catalogue/artifact.ts";

export interface RunOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Text for standard input. */
  readonly input?: string;
  /** Exit statuses that are no failure; `[0]` when not given. */
  readonly accept?: readonly number[];
}

export interface RunResult {
  readonly exitStatus: number;
  /** At most 16 MiB; more is tool-failed. */
  readonly stdout: string;
  /** Redacted, the last 64 KiB. */
  readonly stderr: string;
}

export interface PipeOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Descriptor or stream for the first program's standard input; none when not given. */
  readonly input?: Readable | number;
  /** Descriptor for the last program's standard output; a stream to read when not given. */
  readonly outputDescriptor?: number;
}

/** Programs joined by kernel pipes: the bytes between them never enter this process. */
export interface Pipe {
  /** The last program's output; absent with `outputDescriptor`. */
  readonly output?: Readable;
  /**
   * Resolves when every program has ended well. A reader must wait for it before trusting the output's end.
   * @throws tool-missing, tool-failed (names the program, its status or signal, its last stderr lines),
   *   interrupted
   */
  readonly done: Promise<{ readonly stderr: readonly string[] }>;
  /** Ends every program of the pipe (TERM, then KILL after 5 s) and waits. */
  stop(): Promise<void>;
}

/** A program meant to stay. */
export interface Resident {
  readonly pid: number;
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<{
    readonly exitStatus?: number;
    readonly signal?: string;
    readonly stderr: string;
  }>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Exec {
  run(command: Command, options?: RunOptions): Promise<RunResult>;
  pipe(commands: readonly [Command, ...Command[]], options?: PipeOptions): Pipe;
  resident(command: Command, onLine: (line: string) => void): Resident;
  /** Full path of a program, looked for in PATH and in `places`; undefined when there is none. */
  find(program: string, places?: readonly string[]): Promise<string | undefined>;
}
