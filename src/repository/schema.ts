/**
 * Strict reading of the JSON objects in a store. Whoever can write to the bucket can write anything, so every
 * field is looked at before it is believed, and a key may only point to where its manifest's objects belong.
 */

import type { Hold, KeyProof, Manifest, StoreIdentity, Tombstone, Verdict } from "../catalogue/manifest.ts";
import { componentKinds } from "../component.ts";
import { HoldfastError } from "../errors.ts";

type Check = (value: unknown, at: string) => void;

function fail(at: string, wanted: string): never {
  throw new HoldfastError("manifest-invalid", `field ${at === "" ? "(all)" : at} is not ${wanted}`);
}

const text =
  (pattern?: RegExp): Check =>
  (value, at) => {
    if (typeof value !== "string" || value.length > 4096 || (pattern !== undefined && !pattern.test(value)))
      fail(at, pattern === undefined ? "a text" : `a text like ${pattern}`);
  };
const count: Check = (value, at) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) fail(at, "a whole number from 0");
};
const flag: Check = (value, at) => {
  if (typeof value !== "boolean") fail(at, "true or false");
};
const one =
  (...values: readonly unknown[]): Check =>
  (value, at) => {
    if (!values.includes(value)) fail(at, `one of ${values.join(", ")}`);
  };
const list =
  (each: Check): Check =>
  (value, at) => {
    if (!Array.isArray(value)) return fail(at, "a list");
    for (const [index, member] of value.entries()) each(member, `${at}[${index}]`);
  };
const map =
  (each: Check): Check =>
  (value, at) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return fail(at, "an object");
    for (const [name, member] of Object.entries(value)) each(member, `${at}.${name}`);
  };
const object =
  (fields: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, at) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return fail(at, "an object");
    const members = value as Readonly<Record<string, unknown>>;
    for (const [name, check] of Object.entries(fields)) {
      if (!Object.hasOwn(members, name)) fail(at === "" ? name : `${at}.${name}`, "there");
      check(members[name], at === "" ? name : `${at}.${name}`);
    }
    for (const [name, check] of Object.entries(optional))
      if (Object.hasOwn(members, name)) check(members[name], at === "" ? name : `${at}.${name}`);
  };
const orNull =
  (check: Check): Check =>
  (value, at) => {
    if (value !== null) check(value, at);
  };
const any: Check = () => undefined;

const pointId = text(/^\d{8}T\d{6}(\.\d{3})?Z$/);
const hash = text(/^[0-9a-f]{64}$/);
const isoForm = text(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
const at: Check = (value, where) => {
  isoForm(value, where);
  if (Number.isNaN(Date.parse(value as string))) fail(where, "an instant");
};
const version = one("holdfast.dev/v1");

const artifact = object(
  {
    name: text(/^[a-z0-9][a-z0-9._-]{0,99}$/i),
    codec: one("none", "gzip", "zstd"),
    objects: list(object({ key: text(), sizeBytes: count, sha256: hash })),
    plainSha256: hash,
    plainSizeBytes: count,
  },
  { carried: one(true) },
);

const manifestShape = object(
  {
    apiVersion: version,
    kind: one("RecoveryPoint"),
    id: pointId,
    policy: text(),
    component: one(...componentKinds),
    cluster: text(),
    revision: text(),
    runId: text(/^[A-Za-z0-9-]{1,64}$/),
    slotAt: at,
    startedAt: at,
    finishedAt: at,
    consistentAt: at,
    method: text(),
    capture: one("full", "incremental"),
    parents: list(pointId),
    artifacts: list(artifact),
    sizeBytes: count,
    filesCount: count,
    encryption: object({ suite: text(), recipients: list(text()) }),
    tools: map(text()),
    server: object({ version: text(), identity: text() }),
    restoreNeeds: object({ diskBytes: count, memoryBytes: count }),
    engine: map(any),
    previous: orNull(object({ id: pointId, sha256: hash })),
    signature: orNull(object({ keyId: text(), value: text() })),
  },
  { log: object({ branch: text(/^[A-Za-z0-9._-]{1,64}$/), firstSequence: count, lastSequence: count }) },
);
const check = object({ name: text(), ok: flag, detail: any });
const recipient = text(/^age1[02-9ac-hj-np-z]{58}$/);
const verdictShape = object(
  {
    apiVersion: version,
    kind: one("Verdict"),
    policy: text(),
    point: pointId,
    level: one(-1, 0, 1, 2, 3, 4, 5, 6),
    asked: one(0, 1, 2, 3, 4, 5, 6),
    ok: flag,
    at,
    durationMs: count,
    checks: list(check),
    measured: map(any),
    manifestSha256: hash,
  },
  { openedBy: list(recipient) },
);
const keyProofShape = object({
  apiVersion: version,
  kind: one("KeyProof"),
  policy: text(),
  recipient,
  point: pointId,
  level: one(3, 4, 5, 6),
  at,
  manifestSha256: hash,
});
const tombstoneShape = object({
  apiVersion: version,
  kind: one("Tombstone"),
  policy: text(),
  point: pointId,
  at,
  notBefore: at,
  reason: text(),
  manifestSha256: hash,
});
const holdShape = object({
  apiVersion: version,
  kind: one("Hold"),
  policy: text(),
  point: pointId,
  at,
  by: text(),
  reason: text(),
  until: orNull(at),
});
const identityShape = object({
  apiVersion: version,
  kind: one("StoreIdentity"),
  cluster: text(),
  store: text(),
  policy: text(),
  id: text(),
  createdAt: at,
});

function parse<T>(bytes: Uint8Array, shape: Check): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new HoldfastError("manifest-invalid", "it is no JSON", { cause });
  }
  shape(value, "");
  return value as T;
}

/** @throws manifest-invalid, also for one of another policy, slot or cluster, or with keys outside its own place */
export function parseManifest(
  bytes: Uint8Array,
  expected: {
    readonly policy: string;
    readonly cluster: string;
    readonly id: string;
    readonly prefix: string;
  },
): Manifest {
  const manifest = parse<Manifest>(bytes, manifestShape);
  for (const field of ["policy", "cluster", "id"] as const)
    if (manifest[field] !== expected[field])
      fail(field, `'${expected[field]}' but '${manifest[field]}': it belongs elsewhere`);
  const place = `${expected.prefix}data/${manifest.id}/${manifest.runId}/`;
  const seen = new Set<string>();
  for (const { name, objects, carried } of manifest.artifacts)
    for (const [index, { key }] of objects.entries()) {
      const isThere =
        carried === true
          ? key.startsWith(`${place}${name}/`) && !/(^|\/)(\.{0,2})(\/|$)|[\x00-\x1f\\]/.test(key)
          : key === `${place}${name}.${String(index).padStart(6, "0")}`;
      if (!isThere) fail("key", `in '${place}' but '${key}'`);
      if (seen.has(key)) fail("key", `the only '${key}'`);
      seen.add(key);
    }
  return manifest;
}

export const parseVerdict = (bytes: Uint8Array) => parse<Verdict>(bytes, verdictShape);
export const parseKeyProof = (bytes: Uint8Array) => parse<KeyProof>(bytes, keyProofShape);
export const parseTombstone = (bytes: Uint8Array) => parse<Tombstone>(bytes, tombstoneShape);
export const parseHold = (bytes: Uint8Array) => parse<Hold>(bytes, holdShape);
export const parseIdentity = (bytes: Uint8Array) => parse<StoreIdentity>(bytes, identityShape);
