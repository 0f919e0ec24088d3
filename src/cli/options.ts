/** Options that many verbs share, and what they turn into. */
import { Command, InvalidArgumentError, Option } from "commander";
import { openLogger, openSteps } from "./console.ts";
import { exitHelp, type Verb } from "./exit-help.ts";
import { listenForInterrupts } from "./interrupt.ts";
import type { WiredWorld, WireOptions } from "./wire.ts";

export interface SharedOptions {
  readonly policies: string;
  readonly bundle?: string;
  readonly state: string;
  readonly identity: readonly string[];
  readonly logLevel: string;
  readonly quiet?: boolean;
  readonly format: string;
  /** Of verbs that look at jobs. */
  readonly platform?: string;
}

/**
 * A run's nominal instant: written out, or as the name of the cluster's job, which ends with its minutes since
 * 1970.
 */
export function parseSlot(text: string): number {
  const minutes = /^[a-z0-9-]*[a-z][a-z0-9-]*-(\d{7,9})$/.exec(text)?.[1];
  return minutes === undefined ? parseInstant(text) : Number(minutes) * 60_000;
}

/** Instant on the command line. Without an offset it would mean different things on two machines. */
export function parseInstant(text: string): number {
  const isExact = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i.test(text);
  const ms = Date.parse(text.replace(" ", "T"));
  if (!isExact || Number.isNaN(ms)) {
    throw new InvalidArgumentError("write an instant with its offset, such as 2026-11-20T14:03:00Z");
  }
  return ms;
}

export function parseWholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most || text.trim() === "") {
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`);
    }
    return value;
  };
}

/** A verb with the usual closing lines; `formats` names what `--format` takes, the first is the usual one. */
export function verbCommand(
  verb: Verb,
  summary: string,
  formats: readonly string[] = ["text", "json"],
): Command {
  return new Command(verb)
    .description(summary)
    .addOption(
      new Option("--format <name>", "how to print")
        .choices([...formats])
        .default(formats[0])
        // Nothing to choose is nothing to read about.
        .hideHelp(formats.length === 1),
    )
    .addHelpText("after", exitHelp(verb))
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) });
}

/** Adds what every verb needs that works with policies and stores. */
export function withWorldOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--policies <dir>", "folder of the policies").env("HOLDFAST_POLICIES").default("policies"),
    )
    .addOption(
      new Option("--bundle <file>", "policies of one revision, as the reconciler keeps them").env(
        "HOLDFAST_BUNDLE",
      ),
    )
    .addOption(
      new Option("--state <dir>", "where this machine keeps its own state")
        .env("HOLDFAST_STATE")
        .default(".holdfast"),
    )
    .addOption(
      new Option("--identity <file>", "age identity to decrypt with; may be given more than once")
        .env("HOLDFAST_IDENTITY")
        .argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
        .default([], "none"),
    )
    .addOption(
      new Option("--log-level <level>", "JSON lines on stderr from this level")
        .choices(["debug", "info", "warn", "error", "silent"])
        .env("HOLDFAST_LOG_LEVEL")
        .default("warn"),
    )
    .option("--quiet", "no progress");
}

/** For verbs that look at jobs. */
export function platformOption(): Option {
  return new Option("--platform <kind>", "where jobs run; what the policies say when not given")
    .choices(["local", "kubernetes"])
    .env("HOLDFAST_PLATFORM");
}

export function wireOptions(options: SharedOptions): WireOptions {
  return {
    policies: options.policies,
    ...(options.bundle === undefined ? {} : { bundle: options.bundle }),
    state: options.state,
    // A value from the environment arrives as text.
    identities: typeof options.identity === "string" ? [options.identity] : options.identity,
    log: openLogger(options.logLevel),
    steps: openSteps(options.quiet === true),
    signal: listenForInterrupts(),
  };
}

/** Builds the world, runs `work` in it, and closes it whatever happens. */
export async function inWorld<T>(
  options: SharedOptions,
  work: (world: WiredWorld) => Promise<T>,
): Promise<T> {
  const { wire } = await import("./wire.ts");
  const world = await wire(wireOptions(options));
  try {
    return await work(world);
  } finally {
    await world.close();
  }
}
