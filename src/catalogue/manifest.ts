/**
 * The manifest of one recovery point: written last, and by being there it makes the point exist. Canonical
 * JSON (sorted keys, no blanks) under `manifests/<id>.json`. `docs/format.md` describes every field for
 * somebody who has to restore without Holdfast.
 */
import type { ComponentKind } from "../component.ts";
import type { Codec, ProofLevel } from "../policy/model.ts";
import type { Instant } from "./instant.ts";

/** The nominal time slot in compact form, `20261120T020000Z`; unique inside a policy. */
export type PointId = string;

/** One stored object; `sha256` is lower-case hex over the stored (encrypted) bytes. */
export interface StoredObject {
  /** Full key in the store. */
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A named stream of bytes: what a tool printed, compressed, then encrypted, then cut into objects. */
export interface Artifact {
  readonly name: string;
  readonly codec: Codec;
  /** A tool has written the objects by itself: any number of files as the tool lays them out, not encrypted by us. */
  readonly carried?: true;
  readonly objects: readonly StoredObject[];
  /**
   * Over the bytes before encryption, which are the compressed ones. Of a carried artifact: over one line
   * `<sha256>  <key inside the place>\n` per object in key order.
   */
  readonly plainSha256: string;
  readonly plainSizeBytes: number;
}

/** The part of a change log without which the point cannot reach consistency; ends included. */
export interface LogNeed {
  /** Timeline (8 hex digits) or oplog branch. */
  readonly branch: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export interface Manifest {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "RecoveryPoint";
  readonly id: PointId;
  readonly policy: string;
  readonly component: ComponentKind;
  readonly cluster: string;
  /** Commit of the policy repository that ordered the capture; empty for none. */
  readonly revision: string;
  /** Random; distinguishes the objects of two attempts at one slot. */
  readonly runId: string;
  readonly slotAt: Instant;
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
  /** The state restored without any log replay beyond `log` is the state at this instant. */
  readonly consistentAt: Instant;
  readonly method: string;
  readonly capture: "full" | "incremental";
  /** Points this one needs, nearest first; empty for a full one. */
  readonly parents: readonly PointId[];
  readonly artifacts: readonly Artifact[];
  /** Sum over stored objects. */
  readonly sizeBytes: number;
  readonly filesCount: number;
  readonly log?: LogNeed;
  readonly encryption: { readonly suite: string; readonly recipients: readonly string[] };
  readonly tools: Readonly<Record<string, string>>;
  readonly server: { readonly version: string; readonly identity: string };
  readonly restoreNeeds: { readonly diskBytes: number; readonly memoryBytes: number };
  /** What only the engine understands; plain JSON. */
  readonly engine: Readonly<Record<string, unknown>>;
  /** Hash of the previous manifest's stored bytes of the same policy; a missing link is a finding. */
  readonly previous: { readonly id: PointId; readonly sha256: string } | null;
  readonly signature: { readonly keyId: string; readonly value: string } | null;
}

/** One check made while proving, in words a person can act on. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a restore measured. */
export interface Measurements {
  /** Seconds between the chosen target (or the end) and the last canary found. */
  readonly rpoSeconds?: number;
  /** Seconds from the decision to restore until the assertions held. */
  readonly rtoSeconds?: number;
  /** The canary commit found last. */
  readonly lastCanaryAt?: Instant;
  readonly targetAt?: Instant;
  readonly restoredBytes?: number;
  /** Seed of the random instant; the commit that fixed it. */
  readonly seed?: string;
}

/** The outcome of one verification run, stored beside the manifest as `verdicts/<id>/<instant>.json`. */
export interface Verdict {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Verdict";
  readonly policy: string;
  readonly point: PointId;
  /** Highest level reached; -1 when even level 0 failed. */
  readonly level: ProofLevel | -1;
  /** Level that was asked for. */
  readonly asked: ProofLevel;
  readonly ok: boolean;
  readonly at: Instant;
  readonly durationMs: number;
  readonly checks: readonly Check[];
  readonly measured: Measurements;
  /** Hash of the manifest that was judged. */
  readonly manifestSha256: string;
  /** Recipients, `age1…`, whose identity alone opened everything that was decrypted; absent when nothing was. */
  readonly openedBy?: readonly string[];
}

/**
 * When the private half of an escrow key last opened a point whole: `key-proofs/<recipient>.json`, one per
 * recipient. It stays when the point goes, for a key is asked for far less often than points are kept.
 */
export interface KeyProof {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "KeyProof";
  readonly policy: string;
  /** `age1…` */
  readonly recipient: string;
  readonly point: PointId;
  /** Level of the verification that decrypted, 3 or more. */
  readonly level: ProofLevel;
  readonly at: Instant;
  readonly manifestSha256: string;
}

/** Marks a point whose bytes may go after `notBefore`; removable by `hold` until then. */
export interface Tombstone {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Tombstone";
  readonly policy: string;
  readonly point: PointId;
  readonly at: Instant;
  readonly notBefore: Instant;
  readonly reason: string;
  readonly manifestSha256: string;
}

/** Keeps a point whatever the keep table says. */
export interface Hold {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Hold";
  readonly policy: string;
  readonly point: PointId;
  readonly at: Instant;
  readonly by: string;
  readonly reason: string;
  /** ISO instant, or null for ever. */
  readonly until: Instant | null;
}

/** At the root of each prefix a policy writes to; missing or foreign freezes every delete. */
export interface StoreIdentity {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "StoreIdentity";
  readonly cluster: string;
  readonly store: string;
  readonly policy: string;
  /** Random, made once. */
  readonly id: string;
  readonly createdAt: Instant;
}
