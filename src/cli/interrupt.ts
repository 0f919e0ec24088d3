/** SIGINT and SIGTERM become one abort signal; the second one ends the process at once. */
import { HoldfastError } from "../errors.ts";

export const interrupted = new AbortController();

function onSignal(name: NodeJS.Signals): void {
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort(new HoldfastError("interrupted", `stopped by ${name}`));
}

/** From now on the process stops cleanly on both signals. */
export function listenForInterrupts(): AbortSignal {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    if (!process.listeners(name).includes(onSignal)) process.on(name, onSignal);
  }
  return interrupted.signal;
}
