/** Whether a run that failed is worth another try before its next slot. Pure. */
import { errorCodes, exitStatuses } from "../errors.ts";
import type { Run } from "./job.ts";

/** Pauses before the second, third and fourth attempt; after that the next slot is the next chance. */
const pausesMs: readonly number[] = [60_000, 5 * 60_000, 20 * 60_000];

/** Exit statuses after which nobody has to mend anything; a missed objective is measured, not cured, by a second run. */
const transientStatuses: ReadonlySet<number> = new Set([
  exitStatuses.unreachable.status,
  exitStatuses.locked.status,
]);

/**
 * Milliseconds since 1970 from which the run's slot may be tried again; undefined when it has not failed, has
 * had its four attempts, or failed for a reason that will be there next time.
 */
export function retryAtMs(run: Run): number | undefined {
  if (run.outcome !== "failed" || run.finishedAt === undefined) return undefined;
  const pauseMs = pausesMs[(run.attempt ?? 1) - 1];
  if (pauseMs === undefined || !isTransient(run)) return undefined;
  const finishedMs = Date.parse(run.finishedAt);
  // Up to a quarter more, so that runs which a common cause has failed do not all come back at once.
  return finishedMs + pauseMs + (pauseMs / 4) * ((finishedMs % 1000) / 1000);
}

function isTransient({ code, exitStatus }: Run): boolean {
  if (code === undefined) return exitStatus !== undefined && transientStatuses.has(exitStatus);
  const { transient, exit } = errorCodes[code] ?? { transient: false, exit: "bug" };
  // A run that was ended at its deadline says that it was interrupted, and would be again.
  return transient && exit !== "drift" && exit !== "interrupted";
}
