/**
 * Where store and envelope meet: one policy's part of a store, seen as sinks, sources, manifests, the
 * catalogue, the change log and locks. `open.ts` builds the real one.
 */
import type { ArtifactSink, ArtifactSource, Progress } from "../catalogue/artifact.ts";
import type { Catalogue, LogArchive, LogNames } from "../catalogue/catalogue.ts";
import type { Instant } from "../catalogue/instant.ts";
import type {
  Artifact,
  Hold,
  KeyProof,
  Manifest,
  PointId,
  StoreIdentity,
  Tombstone,
  Verdict,
} from "../catalogue/manifest.ts";
import type { HoldfastError } from "../errors.ts";
import type { StoreFacts } from "../state/job.ts";

/** An attempt at a point; its objects are invisible until `commit`. */
export interface PointDraft {
  readonly id: PointId;
  readonly runId: string;
  readonly sink: ArtifactSink;
  /** Everything the sink has stored so far. */
  readonly artifacts: readonly Artifact[];
  /**
   * Writes the manifest, last and only if none is there. Resolves with its hash.
   * @throws object-exists when another run has committed this slot; lock-lost
   */
  commit(manifest: Manifest): Promise<string>;
  /** Removes what the attempt has stored. Safe to call twice; does nothing after `commit`. */
  discard(): Promise<void>;
}

/** A lease on a name; two holders are impossible where the store has conditional writes. */
export interface Lease {
  readonly name: string;
  /** Aborts when the lease could not be renewed in time: the holder must stop writing. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/** A whole piece of a log that lies in a file. */
export interface LogFile {
  readonly branch: string;
  readonly name: string;
  readonly path: string;
}

/** The stored change log. */
export interface LogStore {
  /**
   * Resolves after the store has the bytes of the file at `path` under this name. Putting the same content
   * twice is fine. @throws data-damaged when the name is there with other content
   */
  put(segment: { readonly branch: string; readonly name: string }, path: string): Promise<void>;
  /**
   * The same as `put` for each, several at once and cheaper for many. The files have different base names.
   * `scratch` begins the paths of a few folders of the caller's: emptied before, gone afterwards. `onStored` is told
   * how many files from the first on are stored, one call at a time; after a failure too, before it is thrown.
   */
  putAll(
    files: readonly LogFile[],
    scratch: string,
    onStored?: (storedCount: number) => Promise<void>,
  ): Promise<void>;
  /** Overwrites `<name>.partial`. */
  putPartial(segment: { readonly branch: string; readonly name: string }, path: string): Promise<void>;
  putHistory(branch: string, path: string): Promise<void>;
  /** What is stored now, read by `names` where the usual segment size is not the right one. */
  archive(names?: LogNames): Promise<LogArchive>;
  /** Decoded into a new file. False when the store has no such segment. */
  fetch(key: string, path: string): Promise<boolean>;
}

export interface Repository {
  readonly policy: string;
  /** Compares the identity marker with ours. Never throws for a reachable store. */
  identity(): Promise<StoreFacts>;
  /** Writes the marker if there is none. @throws store-identity when a foreign one is there */
  mark(): Promise<StoreIdentity>;
  /** Begins to make, in a thread beside all other work, the data key of the next draft. In vain where none comes. */
  expectDraft(): void;
  draft(id: PointId, revision: string, progress?: (progress: Progress) => void): Promise<PointDraft>;
  source(manifest: Manifest): ArtifactSource;
  /** Rebuilt from the store alone; cheap on the second call when nothing moved. */
  catalogue(): Promise<Catalogue>;
  readonly log: LogStore;
  addVerdict(verdict: Verdict): Promise<void>;
  /** Asked before the work whose verdict it would be. @throws key-missing, store-denied */
  demandVerdicts(): void;
  /** Takes the place of an older one of the same recipient. */
  addKeyProof(proof: KeyProof): Promise<void>;
  /**
   * Notes from now on which identities open what is read here. The function it gives ends that and names the
   * recipients, `age1…`, whose identity alone has opened every data key since; none when nothing was decrypted.
   */
  watchKeys(): () => readonly string[];
  addHold(hold: Hold): Promise<void>;
  removeHold(id: PointId): Promise<void>;
  addTombstone(tombstone: Tombstone): Promise<void>;
  /** A missing one is fine. */
  removeTombstone(id: PointId): Promise<void>;
  /**
   * Deletes a tombstoned point: manifest first, so that a cut run leaves no listed point without bytes,
   * then its objects, verdicts and tombstone; lists again at the end.
   * @throws guard-refused when the marker is missing or foreign, the manifest's hash is not the
   *   tombstone's, the grace has not passed, or the point is held
   */
  removePoint(id: PointId, nowMs: number): Promise<{ readonly removedBytes: number }>;
  removeLog(keys: readonly string[]): Promise<void>;
  /** Objects no manifest names and uploads nobody finished, older than `olderThanMs`; removes them when asked. */
  sweep(
    nowMs: number,
    olderThanMs: number,
    remove: boolean,
  ): Promise<readonly { readonly key: string; readonly sizeBytes: number; readonly modifiedAt: Instant }[]>;
  /** Level 0: does every object the manifest names exist with its size? Level 2: is each byte's hash right? */
  verifyObjects(
    manifest: Manifest,
    depth: "present" | "checksum",
    progress?: (progress: Progress) => void,
  ): Promise<readonly ObjectFault[]>;
  /** @throws locked with the holder's name and age */
  lock(name: string, holder: string): Promise<Lease>;
  /** Sets of credentials the store's settings name and this process does not have. */
  missingCredentials(): readonly HoldfastError[];
  close(): Promise<void>;
}

/** One damaged object, named exactly. */
export interface ObjectFault {
  readonly key: string;
  readonly artifact: string;
  readonly fault: "missing" | "size" | "checksum" | "envelope" | "context";
  /** Expected and found. */
  readonly detail: string;
}
