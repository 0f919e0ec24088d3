/**
 * Where jobs run. The platform observes and carries out one action at a time; it never decides. The local
 * one keeps jobs in the state folder and starts child processes; the Kubernetes one will keep CronJobs.
 * `test/conformance/platform.ts` holds every platform to this.
 */
import type { Instant } from "../catalogue/instant.ts";
import type { ActualJob, Job, ReplacedJob, Run } from "../state/job.ts";

export interface Platform {
  readonly name: string;
  /** Jobs with their newest runs, read from where they live and not from memory. */
  observe(): Promise<{ readonly revision: string; readonly jobs: readonly ActualJob[] }>;
  /** Creates the job or makes it equal to `job`. Doing it twice changes nothing. */
  putJob(job: Job, revision: string): Promise<void>;
  /** Removes the job; a run under way ends by itself. A missing key is fine. */
  removeJob(key: string): Promise<void>;
  /** Starts one run now for the nominal instant; does nothing when that slot has run or is running. */
  startRun(key: string, slotAt: Instant): Promise<"started" | "already" | "busy">;
  /** State of somebody else's job, `NAMESPACE/NAME`; undefined where the platform knows none. */
  foreignJob?(name: string): Promise<ReplacedJob["state"] | undefined>;
  /** Marks the revision as wholly applied. */
  setRevision(revision: string): Promise<void>;
  /** Where a platform keeps what runs print: the end of it for one job, at most `bytes`; empty when nothing is kept. */
  logTail?(key: string, bytes: number): Promise<string>;
  /** Resolves when a run ends, or rejects with the signal's reason. */
  nextRunEnd(signal: AbortSignal): Promise<Run>;
  /** Begins to fire schedules and to keep residents alive. */
  start(): Promise<void>;
  /**
   * Where several reconcilers may be at work: waits for one's turn. `lost` aborts when it is over. Keeps order
   * only; each write is safe by itself.
   */
  lead?(signal: AbortSignal): Promise<{ readonly lost: AbortSignal; release(): Promise<void> }>;
  /** Fires nothing more, asks runs to stop, waits at most `graceMs`, then ends them. */
  stop(graceMs: number): Promise<void>;
}
