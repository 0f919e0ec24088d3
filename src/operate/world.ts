/**
 * What a verb may touch, as types. `cli/wire.ts` builds the real one; tests build one on a folder store.
 * Verbs are functions of a world and their arguments; they return values and print nothing.
 */
import type { Progress } from "../catalogue/artifact.ts";
import type { Engine, EngineContext } from "../engine/engine.ts";
import type { Logger } from "../log.ts";
import type { Policy, PolicySet } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import type { Clock } from "../time/clock.ts";
import type { Machine } from "./machine.ts";

export interface World {
  readonly clock: Clock;
  readonly machine: Machine;
  readonly log: Logger;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly set: PolicySet;
  /** Commit the policies come from; empty when they were read from a folder. */
  readonly revision: string;
  readonly cluster: string;
  /** Who holds a lock: host, process and start, for people. */
  readonly holder: string;
  repository(policy: Policy): Promise<Repository>;
  /** @throws not-built-yet for a component whose engine does not exist */
  engine(policy: Policy): Promise<Engine>;
  /** What `engine` has given before in this process; for pure questions asked again and again. */
  loadedEngine(policy: Policy): Engine | undefined;
  hasEngine(policy: Policy): boolean;
  /**
   * Calls `work` with a context of its own; the folder in it is removed afterwards. `keep` names a folder in
   * the state directory that stays instead. The context's signal aborts with the world's and with `signals`.
   */
  withContext<T>(
    policy: Policy,
    options: { readonly keep?: string; readonly signals?: readonly AbortSignal[] },
    work: (context: EngineContext) => Promise<T>,
  ): Promise<T>;
  /** One step of long work, for people. */
  step(text: string): void;
  progress(progress: Progress): void;
  /** Lower-case hex. Here so that pure callers need no crypto of their own. */
  sha256(text: string): string;
  randomId(): string;
  /** Adds one line to a journal in the state folder; journals are for people, no decision reads them. */
  remember(journal: string, value: object): Promise<void>;
  /** The journal's newest 10,000 lines, oldest first; broken lines are left out. */
  recall<T>(journal: string): Promise<readonly T[]>;
}
