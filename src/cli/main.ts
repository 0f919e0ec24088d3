#!/usr/bin/env node
/** Entry: parses, runs one verb, and turns its end into an exit status. */
import { CommanderError } from "commander";
import { HoldfastError } from "../errors.ts";
import { complain, paintFor } from "./console.ts";
import { interrupted } from "./interrupt.ts";
import { program } from "./program.ts";
import { recordResult } from "./result-file.ts";

function explain(error: HoldfastError): void {
  const paint = paintFor(process.stderr);
  const cause = error.cause instanceof Error ? `\n  cause: ${error.cause.message}` : "";
  complain(
    `${paint.bad("error")} ${error.code}: ${error.message}${cause}\n  ${paint.dim("next:")} ${error.hint}`,
  );
}

async function main(): Promise<number> {
  try {
    await (await program(process.argv.slice(2))).parseAsync(process.argv);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has printed its own message; help and version end through here with status 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const known =
      interrupted.signal.aborted && !(error instanceof HoldfastError && error.code !== "interrupted")
        ? new HoldfastError("interrupted", "stopped by a signal; nothing is half done", { cause: error })
        : error;
    if (known instanceof HoldfastError) {
      explain(known);
      await recordResult({ code: known.code, message: known.message });
      return known.exitStatus;
    }
    complain(`bug: ${known instanceof Error ? (known.stack ?? known.message) : String(known)}`);
    await recordResult({ message: `bug: ${String(known)}` });
    return 1;
  }
}

// A reader that has gone away (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const status = await main();
// Timers and sockets kept for later must not keep a finished verb alive. What was written is out: on Linux
// writes to files, terminals and pipes are synchronous.
process.exit(status);
