/**
 * The contract of an engine: all that Holdfast knows about one component kind lives in one folder behind
 * this. `test/conformance/engine.ts` holds every engine to it.
 */
import type { ArtifactSink, ArtifactSource, ToolPlace } from "../catalogue/artifact.ts";
import type { LogArchive, LogNames } from "../catalogue/catalogue.ts";
import type { HandRecipe } from "../catalogue/hand-recipe.ts";
import type { Instant } from "../catalogue/instant.ts";
import type { Check, LogNeed, Manifest, Measurements, PointId } from "../catalogue/manifest.ts";
import type { ComponentKind } from "../component.ts";
import type { Exec } from "../exec/exec.ts";
import type { Logger } from "../log.ts";
import type { Policy, SecretReference, StoreSettings } from "../policy/model.ts";
import type { LogStore } from "../repository/repository.ts";
import type { ClusterAccount } from "../state/cluster-account.ts";
import type { SourceItem, SourceLook } from "../state/coverage.ts";
import type { SourceFacts } from "../state/job.ts";
import type { Clock } from "../time/clock.ts";

/** Everything an engine may use. */
export interface EngineContext {
  readonly policy: Policy;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** A folder of this run's own on a disk with room; removed afterwards by the caller. */
  readonly workDirectory: string;
  /** The value, remembered for redaction. @throws key-missing */
  secret(reference: SecretReference): Promise<string>;
  /** One step of long work, for people. */
  step(text: string): void;
  /** The policy's own store, whole, with the rights of the role: for engines that look after what lies in it. */
  store(role: "read" | "write"): Promise<ToolPlace>;
}

export interface CaptureRequest {
  readonly id: PointId;
  readonly slotAt: Instant;
  /** Points an incremental capture may build on, newest first, with their sources; empty forces a full one. */
  readonly parents: readonly { readonly manifest: Manifest; readonly source: ArtifactSource }[];
  readonly capture: "full" | "incremental";
  /** The newest point there is: what it took, and what it holds to compare with; undefined for the first. */
  readonly newest?: WatchedPoint;
  /** To wait until the store has the log the point needs; undefined where the policy keeps none. */
  readonly log?: LogStore;
}

/** The newest point as a watch finds it. */
export interface WatchedPoint {
  readonly manifest: Manifest;
  readonly source: ArtifactSource;
}

/** What the engine adds to the manifest. */
export type CaptureResult = Pick<
  Manifest,
  "capture" | "parents" | "filesCount" | "tools" | "server" | "restoreNeeds" | "engine" | "consistentAt"
> & { readonly log?: LogNeed };

/** Where a restore shall end. */
export type RecoveryTarget =
  | { readonly kind: "latest" }
  /** The state of the point itself, no log beyond what it needs. */
  | { readonly kind: "point" }
  | { readonly kind: "time"; readonly at: Instant }
  | { readonly kind: "lsn"; readonly lsn: string }
  | { readonly kind: "name"; readonly name: string };

export interface RestoreRequest {
  /** The point first, then what it needs, nearest first. */
  readonly chain: readonly { readonly manifest: Manifest; readonly source: ArtifactSource }[];
  readonly target: RecoveryTarget;
  /** An empty or missing folder. */
  readonly directory: string;
  readonly log?: { readonly store: LogStore; readonly archive: LogArchive };
}

export interface Restored {
  readonly directory: string;
  readonly restoredBytes: number;
  /** How to start it, as a person would type it. */
  readonly startCommand: string;
  /** What was checked on the way, the vendor's own checker among it. */
  readonly checks: readonly Check[];
}

/** A throwaway server on what was restored. */
export interface RunningServer {
  /** Connection settings in the policy's own terms. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** Runs one statement of the policy's assertions; its single value. */
  ask(statement: string, database: string): Promise<unknown>;
  /** The newest canary in it, or undefined when there is none. */
  lastCanaryAt(): Promise<Instant | undefined>;
  /** When the restored server ended its replay, in its own words. */
  readonly reached: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** A program of the vendor's, and how a person gets it. */
export interface ProgramNeed {
  readonly name: string;
  /** Folders it is looked for in before PATH. */
  readonly places: readonly string[];
  /** What cannot be done without it. */
  readonly without: string;
  /** One command line. */
  readonly install: string;
}

/** What an engine can say of everything its policy's source holds, and which of it the policy takes. */
export interface SourceInventory {
  /** Pure: where the source is, in one spelling; policies with an equal one have the same source. */
  address(policy: Policy): string;
  /** Pure: why the policy's captures do not take the item; undefined when they do. */
  misses(policy: Policy, item: SourceItem): string | undefined;
  /** Pure: whether the item is where the points of the store lie. Absent where a source cannot hold a store. */
  isStore?(policy: Policy, item: SourceItem, store: StoreSettings): boolean;
  /** Reads alone. What the user of the policy may not see is `unseen` where the source tells. @throws source-unreachable, tool-failed, tool-missing, key-missing */
  look(context: EngineContext): Promise<SourceLook>;
}

export interface Engine {
  readonly kind: ComponentKind;
  /** Absent where nobody can list what a source holds. */
  readonly inventory?: SourceInventory;
  /** Pure: the programs the policy's captures, restores and drills start. */
  programs?(policy: Policy): readonly ProgramNeed[];
  /** Pure: what the policy's runs, and a look at its source, may do at the API server of their own cluster. */
  accounts?(policy: Policy): readonly ClusterAccount[];
  /** How stored pieces of the log are named; absent where the component has no log. */
  readonly logNames?: LogNames;
  /** Never throws for an unreachable source: `reachable` is false then. */
  probe(context: EngineContext): Promise<SourceFacts>;
  /** Mends one drift that `probe` called mendable. */
  mend(context: EngineContext, setting: string): Promise<void>;
  /** @throws tool-failed, tool-missing, source-unreachable, empty-backup, wal-gap */
  capture(context: EngineContext, request: CaptureRequest, sink: ArtifactSink): Promise<CaptureResult>;
  /** Writes one canary row or key carrying the present instant. */
  canary(context: EngineContext): Promise<Instant>;
  /** Puts the data into `directory`, ready to start. @throws target-not-empty, wal-gap, data-damaged, tool-failed */
  restore(context: EngineContext, request: RestoreRequest): Promise<Restored>;
  /** Starts what `restore` made on a private address and waits until replay has ended. */
  start(context: EngineContext, restored: Restored, request: RestoreRequest): Promise<RunningServer>;
  /** Decodes every artifact and lets the vendor's checker judge (level 3), without a server. */
  inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]>;
  /** Pure. The point first, then what it needs, nearest first; the state of the point itself, without its log. */
  byHand(chain: readonly Manifest[]): HandRecipe;
  /**
   * Resident: calls `onChange` for each change at the source that asks for a capture, until the signal aborts.
   * A change that went by while nobody watched is told at the start. `newest` is the point to compare with.
   * Absent where captures come by cron alone.
   */
  watch?(
    context: EngineContext,
    newest: WatchedPoint | undefined,
    onChange: (what: string) => void,
  ): Promise<void>;
  /** The resident log receiver; resolves when the signal aborts. Absent where the component has no log. */
  receive?(context: EngineContext, log: LogStore, onFlow: (flow: LogProgress) => void): Promise<void>;
  /** The instant the newest stored piece of log reaches, read from the log itself; undefined when unknown. */
  logReach?(context: EngineContext, log: LogStore, archive: LogArchive): Promise<Instant | undefined>;
}

export interface LogProgress {
  /** Newest piece the store has. */
  readonly stored: string;
  readonly storedAt: Instant;
  readonly partial: boolean;
}

export type { HandRecipe, Measurements };
