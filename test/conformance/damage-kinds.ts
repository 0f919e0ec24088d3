/**
 * Kinds of damage to what a policy has stored, for every engine: pure functions from the healthy objects to
 * what is written over them. `engine-damage.ts` carries them out and judges.
 */

import { canonicalJson } from "../../src/canonical-json.ts";
import type { LogSegment } from "../../src/catalogue/catalogue.ts";
import { keys } from "../../src/catalogue/keys.ts";
import type { Manifest, StoredObject } from "../../src/catalogue/manifest.ts";
import { frameBytes } from "../../src/crypto/header.ts";
import { sealedFrameBytes } from "../../src/crypto/seal.ts";
import type { ProofLevel } from "../../src/policy/model.ts";
import { sha256 } from "../../src/repository/canonical.ts";

/** The healthy store: two points of one policy, and one of another policy that shares key and source. */
export interface HealthySet {
  readonly older: Manifest;
  readonly newer: Manifest;
  readonly stranger: Manifest;
  readonly prefix: string;
  readonly strangerPrefix: string;
  /** Every object of the store. */
  readonly bytes: ReadonlyMap<string, Buffer>;
  /** The stored change log in order; empty where there is none. */
  readonly segments: readonly LogSegment[];
  /** False where a tool has carried the bytes and our envelope is not around them. */
  readonly isEncrypted: boolean;
  /** From the printed seed, in [0, 1). */
  random(): number;
}

export interface Damage {
  readonly point: string;
  /** Key to its new bytes; undefined removes it. */
  readonly writes: ReadonlyMap<string, Buffer | undefined>;
  /** What has to be said, one of them at least. */
  readonly names: readonly string[];
  /** Damage that lies outside the policy's own store; resolves with what undoes it. */
  readonly act?: () => Promise<() => Promise<void>>;
}

export interface DamageKind {
  readonly kind: string;
  /** The level that has to find it. */
  readonly level: ProofLevel;
  /** True when a restore of the point has to refuse, too. */
  readonly stopsRestore: boolean;
  /** Undefined where the stored set has nothing of this kind, such as a second object. */
  readonly of: (set: HealthySet) => Damage | undefined;
}

interface Picked {
  readonly manifest: Manifest;
  readonly artifact: string;
  readonly object: StoredObject;
}

export function manifestKey(set: HealthySet, manifest: Manifest): string {
  return keys.manifest(manifest === set.stranger ? set.strangerPrefix : set.prefix, manifest.id);
}

function objectsOf(manifest: Manifest): readonly Picked[] {
  return manifest.artifacts.flatMap((a) =>
    a.objects.filter((o) => o.sizeBytes > 0).map((object) => ({ manifest, artifact: a.name, object })),
  );
}

function pick(set: HealthySet, manifest = set.newer): Picked {
  const all = objectsOf(manifest);
  const found = all[Math.floor(set.random() * all.length)];
  if (found === undefined) throw new Error(`point ${manifest.id} has no object`);
  return found;
}

/** The object of `other` in the same place of its point, with other bytes; any with other bytes where there is none. */
function counterpart(picked: Picked, other: Manifest): Picked | undefined {
  const differing = objectsOf(other).filter((o) => o.object.sha256 !== picked.object.sha256);
  const ending = (key: string): string => key.split("/").at(-1) ?? "";
  const same = differing.filter((o) => o.artifact === picked.artifact);
  return same.find((o) => ending(o.object.key) === ending(picked.object.key)) ?? same[0] ?? differing[0];
}

function bytesOf(set: HealthySet, key: string): Buffer {
  const bytes = set.bytes.get(key);
  if (bytes === undefined) throw new Error(`no object '${key}' in the healthy set`);
  return Buffer.from(bytes);
}

/** New bytes for one object of the newer point. */
function change(set: HealthySet, alter: (bytes: Buffer) => Buffer | undefined): Damage | undefined {
  const { object } = pick(set);
  const bytes = bytesOf(set, object.key);
  const altered = alter(Buffer.from(bytes));
  if (altered?.equals(bytes) === true) return undefined;
  return { point: set.newer.id, writes: new Map([[object.key, altered]]), names: [object.key] };
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
}

function swapped(set: HealthySet, a: Picked, b: Picked | undefined): Damage | undefined {
  if (b === undefined) return undefined;
  const writes = new Map([
    [a.object.key, bytesOf(set, b.object.key)],
    [b.object.key, bytesOf(set, a.object.key)],
  ]);
  return { point: a.manifest.id, writes, names: [a.object.key] };
}

/** Two neighbouring frames exchanged where there are two; else two blocks of the object. */
function reordered(bytes: Buffer): Buffer {
  // The header is two lines of text; frames of one size follow, the last is shorter.
  const begin = bytes.indexOf("\n", bytes.indexOf("\n") + 1) + 1;
  const hasFrames = begin > 0 && bytes.length >= begin + 2 * sealedFrameBytes;
  const size = hasFrames ? sealedFrameBytes : Math.floor(bytes.length / 3);
  const from = hasFrames ? begin : 0;
  const first = Buffer.from(bytes.subarray(from, from + size));
  bytes.copyWithin(from, from + size, from + 2 * size);
  first.copy(bytes, from + size);
  return bytes;
}

function lastPiece(set: HealthySet): readonly LogSegment[] {
  const need = set.newer.log;
  return set.segments.filter((s) => s.branch === need?.branch && s.sequence === need?.firstSequence);
}

/** The manifest changed to say that the new bytes are the right ones, as somebody with the bucket could. */
function withManifestToMatch(set: HealthySet, damage: Damage | undefined): Damage | undefined {
  if (damage === undefined || !set.isEncrypted) return undefined;
  const adjust = (object: StoredObject): StoredObject => {
    const bytes = damage.writes.get(object.key);
    return bytes === undefined ? object : { ...object, sha256: sha256(bytes), sizeBytes: bytes.length };
  };
  const artifacts = set.newer.artifacts.map((a) => ({ ...a, objects: a.objects.map(adjust) }));
  const sizeBytes = artifacts.flatMap((a) => a.objects).reduce((sum, o) => sum + o.sizeBytes, 0);
  const forged = Buffer.from(canonicalJson({ ...set.newer, artifacts, sizeBytes }));
  const names = artifacts.map((a) => a.name);
  return {
    ...damage,
    writes: new Map([...damage.writes, [manifestKey(set, set.newer), forged]]),
    names: [...damage.names, ...names],
  };
}

const content = (kind: string, of: DamageKind["of"], level: ProofLevel = 2): DamageKind => ({
  kind,
  level,
  stopsRestore: true,
  of,
});

const ofManifest = (kind: string, of: DamageKind["of"]): DamageKind => ({
  kind,
  level: 0,
  stopsRestore: false,
  of,
});

const objectKinds: readonly DamageKind[] = [
  content("one bit flipped in an object", (set) =>
    change(set, (bytes) => flipped(bytes, Math.floor(set.random() * bytes.length))),
  ),
  content("one bit flipped in an object's first bytes", (set) =>
    change(set, (bytes) => flipped(bytes, Math.min(7, bytes.length - 1))),
  ),
  content("one bit flipped in an object's last byte", (set) =>
    change(set, (bytes) => flipped(bytes, bytes.length - 1)),
  ),
  content("an object filled with zeros", (set) => change(set, (bytes) => Buffer.alloc(bytes.length))),
  content("blocks of an object in another order", (set) => change(set, reordered)),
  content(
    "an object cut short",
    (set) => change(set, (bytes) => bytes.subarray(0, Math.floor(set.random() * bytes.length))),
    0,
  ),
  content("an object without its last byte", (set) => change(set, (b) => b.subarray(0, b.length - 1)), 0),
  content("an object with a byte more", (set) => change(set, (b) => Buffer.concat([b, Buffer.from("x")])), 0),
  content("an object emptied", (set) => change(set, () => Buffer.alloc(0)), 0),
  content("an object removed", (set) => change(set, () => undefined), 0),
  content("two objects of a point swapped", (set) => {
    const picked = pick(set);
    return swapped(set, picked, counterpart(picked, set.newer));
  }),
  content("objects of two points swapped", (set) => {
    const picked = pick(set);
    return swapped(set, picked, counterpart(picked, set.older));
  }),
  content("objects of two policies swapped", (set) => {
    const picked = pick(set);
    return swapped(set, picked, counterpart(picked, set.stranger));
  }),
  content("an older version of an object put back", (set) => {
    const picked = pick(set);
    const old = counterpart(picked, set.older);
    if (old === undefined) return undefined;
    return {
      point: set.newer.id,
      writes: new Map([[picked.object.key, bytesOf(set, old.object.key)]]),
      names: [picked.object.key],
    };
  }),
];

/** The last two need our envelope: a carried object has no other witness than its manifest. */
const forgedKinds: readonly DamageKind[] = [
  content(
    "one bit flipped, and the manifest made to match",
    (set) =>
      withManifestToMatch(
        set,
        change(set, (bytes) => flipped(bytes, Math.floor(bytes.length * 0.9))),
      ),
    3,
  ),
  content(
    "an object cut at a frame, and the manifest made to match",
    (set) =>
      withManifestToMatch(
        set,
        change(set, (bytes) =>
          bytes.subarray(0, bytes.length > frameBytes * 2 ? bytes.length - sealedFrameBytes : -20),
        ),
      ),
    3,
  ),
  content(
    "an older point's object put back, and the manifest made to match",
    (set) => {
      const picked = pick(set);
      const old = counterpart(picked, set.older);
      if (old === undefined) return undefined;
      const writes = new Map([[picked.object.key, bytesOf(set, old.object.key)]]);
      return withManifestToMatch(set, { point: set.newer.id, writes, names: [picked.object.key] });
    },
    3,
  ),
  content(
    "another policy's object put in, and the manifest made to match",
    (set) => {
      const picked = pick(set);
      const strange = counterpart(picked, set.stranger);
      if (strange === undefined) return undefined;
      const writes = new Map([[picked.object.key, bytesOf(set, strange.object.key)]]);
      return withManifestToMatch(set, { point: set.newer.id, writes, names: [picked.object.key] });
    },
    3,
  ),
];

const manifestKinds: readonly DamageKind[] = [
  ofManifest("an older manifest put over a newer one", (set) => ({
    point: set.newer.id,
    writes: new Map([[manifestKey(set, set.newer), bytesOf(set, manifestKey(set, set.older))]]),
    names: [set.newer.id],
  })),
  ofManifest("manifests of two policies swapped", (set) => ({
    point: set.newer.id,
    writes: new Map([
      [manifestKey(set, set.newer), bytesOf(set, manifestKey(set, set.stranger))],
      [manifestKey(set, set.stranger), bytesOf(set, manifestKey(set, set.newer))],
    ]),
    names: [set.newer.id],
  })),
  ofManifest("a manifest edited after the fact", (set) => ({
    point: set.newer.id,
    writes: new Map([
      [
        manifestKey(set, set.older),
        Buffer.from(canonicalJson({ ...set.older, filesCount: set.older.filesCount + 1 })),
      ],
    ]),
    names: [set.older.id],
  })),
  ofManifest("a manifest cut short", (set) => ({
    point: set.newer.id,
    writes: new Map([
      [manifestKey(set, set.newer), bytesOf(set, manifestKey(set, set.newer)).subarray(0, 100)],
    ]),
    names: [set.newer.id],
  })),
  ofManifest("a manifest of zeros", (set) => ({
    point: set.newer.id,
    writes: new Map([
      [manifestKey(set, set.newer), Buffer.alloc(bytesOf(set, manifestKey(set, set.newer)).length)],
    ]),
    names: [set.newer.id],
  })),
];

/** A restore to the point itself need not touch the log, so only a look at the point has to find it. */
const ofLog = (kind: string, of: DamageKind["of"], level: ProofLevel): DamageKind => ({
  kind,
  level,
  stopsRestore: false,
  of,
});

/** For a point that needs a piece of a change log. */
const logKinds: readonly DamageKind[] = [
  ofLog(
    "a piece of the log that the point needs removed",
    (set) => {
      const pieces = lastPiece(set);
      const [piece] = pieces;
      if (piece === undefined) return undefined;
      const writes = new Map(pieces.map((p) => [p.key, undefined]));
      return { point: set.newer.id, writes, names: [piece.name, logPosition(piece)] };
    },
    0,
  ),
  ofLog(
    "one bit flipped in a piece of the log that the point needs",
    (set) => {
      const pieces = lastPiece(set);
      if (pieces.length === 0) return undefined;
      const writes = new Map(pieces.map((p) => [p.key, flipped(bytesOf(set, p.key), p.sizeBytes >> 1)]));
      return { point: set.newer.id, writes, names: pieces.map((p) => p.key) };
    },
    3,
  ),
  ofLog(
    "two pieces of the log swapped",
    (set) => {
      const pieces = lastPiece(set);
      const other = set.segments.findLast((s) => pieces.every((p) => p.sequence !== s.sequence));
      if (pieces.length === 0 || other === undefined) return undefined;
      const writes = new Map(pieces.map((p) => [p.key, bytesOf(set, other.key)]));
      writes.set(other.key, bytesOf(set, pieces[0]?.key ?? ""));
      return { point: set.newer.id, writes, names: pieces.map((p) => p.key) };
    },
    3,
  ),
];

/** How a piece is spoken of whose full name nobody knows any more. */
export function logPosition({ name }: LogSegment): string {
  return name.split("-").slice(0, 2).join("-");
}

export const damageKinds: readonly DamageKind[] = [
  ...objectKinds,
  ...forgedKinds,
  ...manifestKinds,
  ...logKinds,
];
