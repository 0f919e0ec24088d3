/** The catalogue: all that is known of a policy's recovery points and change log, rebuilt from the store alone. */
import type { Instant } from "./instant.ts";
import type { Hold, KeyProof, Manifest, PointId, Tombstone, Verdict } from "./manifest.ts";

/** A point as listed: its manifest and everything stored beside it. */
export interface RecoveryPoint {
  readonly manifest: Manifest;
  /** Hash of the manifest's stored bytes. */
  readonly manifestSha256: string;
  /** When the store itself says the manifest was written; retention trusts this, not the client. */
  readonly storedAt: Instant;
  /** Oldest first. */
  readonly verdicts: readonly Verdict[];
  readonly tombstone?: Tombstone;
  readonly hold?: Hold;
  /** Object lock in force until then, where the store says so. */
  readonly lockedUntil?: Instant;
}

/** One stored piece of a change log. */
export interface LogSegment {
  /** File name in the engine's terms, `000000010000000000000003`. */
  readonly name: string;
  readonly branch: string;
  /** Position in the order of the log: for WAL the absolute segment number (LSN / segment size). */
  readonly sequence: number;
  readonly partial: boolean;
  readonly key: string;
  readonly sizeBytes: number;
  readonly storedAt: Instant;
}

/** A fork in the log: `branch` continues `parent` after `forkSequence` (the switch segment is on both). */
export interface LogBranch {
  readonly branch: string;
  readonly parent?: string;
  readonly forkSequence?: number;
  /** Key of the history file; never expired. */
  readonly key?: string;
}

export interface LogArchive {
  readonly segments: readonly LogSegment[];
  readonly branches: readonly LogBranch[];
  /** Bytes in a full segment, as the server says. */
  readonly segmentBytes: number;
}

export interface Catalogue {
  readonly policy: string;
  /** Oldest slot first. */
  readonly points: readonly RecoveryPoint[];
  readonly log?: LogArchive;
  /** One per escrow key that has opened a point; absent where nobody looked for them. */
  readonly keyProofs?: readonly KeyProof[];
  /** False when a listing was cut short or disagrees with what was known: then nothing may be deleted. */
  readonly complete: boolean;
  /** Why `complete` is false, or what else a person should know; empty when all is well. */
  readonly remarks: readonly string[];
  /** Manifests that could not be read: their ids and why. Never deleted, never counted. */
  readonly unreadable: readonly { readonly id: PointId; readonly reason: string }[];
  readonly readAt: Instant;
}

/** How an engine names the pieces of its log; pure. */
export interface LogNames {
  readonly segmentBytes: number;
  /** Undefined for a name that is no full segment; a `.partial` ending has been taken off before. */
  parseSegment(name: string): { readonly branch: string; readonly sequence: number } | undefined;
  /** Name of the segment at a position, to speak of one that is missing. */
  segmentName(branch: string, sequence: number): string;
  parseHistory(branch: string, text: string): LogBranch;
  /** The names as they are for this server: a manifest knows its segment size. */
  forManifest(manifest: Manifest): LogNames;
}
