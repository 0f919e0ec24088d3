/**
 * One consistent export: values are read, then the change markers again, and what has changed in between is
 * read once more until a whole pass finds nothing new.
 */
import type { EngineContext } from "../engine.ts";
import { mapInLanes } from "../lanes.ts";
import type { Api } from "./api.ts";
import { keyed } from "./fingerprint.ts";
import { canonical } from "./json.ts";
import {
  findMounts,
  type Markers,
  type Mount,
  readConfig,
  readMarkers,
  readPolicies,
  readSecret,
} from "./key-value.ts";
import { exportKubernetes } from "./kubernetes.ts";
import type { ExportedMount, ExportedSecret, LeftOut, NamedDocument } from "./model.ts";
import { canaryPath, canarySecret, settingsOf } from "./settings.ts";

const mostPasses = 5;

export interface Export {
  readonly documents: readonly NamedDocument[];
  readonly leftOut: LeftOut;
  /** Secrets, policies and objects. */
  readonly count: number;
  /** False when the source was written to all the time; then single secrets are whole, and not all of one instant. */
  readonly settled: boolean;
  readonly markers: string;
}

/** @throws tool-failed naming the path when any part may not be read; source-unreachable */
export async function exportAll(context: EngineContext, api: Api | undefined, key: string): Promise<Export> {
  const settings = settingsOf(context.policy);
  const documents: NamedDocument[] = [];
  let leftOut: LeftOut = {};
  let settled = true;
  // Read first: a change during the export then shows as one that is not in the point yet.
  const markers = markersDigest(key, await readAllMarkers(context, api, key));
  if (api !== undefined) {
    const { mounts, others } = await findMounts(api, settings.mounts);
    leftOut = { ...others };
    for (const [index, mount] of mounts.entries()) {
      const read = await exportMountOf(context, api, mount, key);
      settled &&= read.settled;
      documents.push({ name: documentName(index, mount), document: read.document });
      leftOut = added(leftOut, "deleted or destroyed versions", deletedOf(read.document));
    }
    documents.push({ name: "policies.json", document: await readPolicies(api) });
    leftOut = added(leftOut, "tokens", await countOf(api, "auth/token/accessors"));
  }
  if (settings.kubernetes !== undefined) {
    const read = await exportKubernetes(context);
    documents.push({ name: "kubernetes.json", document: read.document });
    for (const [rule, count] of Object.entries(read.leftOut)) leftOut = added(leftOut, rule, count);
  }
  const count = documents.reduce((sum, { document }) => sum + sizeOf(document), 0);
  return { documents, leftOut, count, settled, markers };
}

export function markersDigest(key: string, markers: ReadonlyMap<string, string>): string {
  return keyed(key, canonical(Object.fromEntries(markers)));
}

/** Every marker of the source under a name for people. */
export async function readAllMarkers(
  context: EngineContext,
  api: Api | undefined,
  key: string,
): Promise<ReadonlyMap<string, string>> {
  const settings = settingsOf(context.policy);
  const all = new Map<string, string>();
  if (api !== undefined) {
    const { mounts } = await findMounts(api, settings.mounts);
    for (const mount of mounts) {
      all.set(mount.path, keyed(key, canonical([mount.version, await readConfig(api, mount)])));
      for (const [path, mark] of await readMarkers(api, mount, key)) all.set(`${mount.path}${path}`, mark);
    }
    for (const { name, policy } of (await readPolicies(api)).policies)
      all.set(`policy ${name}`, keyed(key, policy));
  }
  if (settings.kubernetes !== undefined) {
    const { document } = await exportKubernetes(context);
    for (const item of document.items)
      if (item.metadata.name !== canarySecret)
        all.set(`${item.kind} ${item.metadata.namespace}/${item.metadata.name}`, keyed(key, canonical(item)));
  }
  return all;
}

/** One mount with all its secrets; `settled` is false when it was written to all the time. */
export async function exportMountOf(
  context: EngineContext,
  api: Api,
  mount: Mount,
  key: string,
): Promise<{ readonly document: ExportedMount; readonly settled: boolean }> {
  const { versions } = settingsOf(context.policy);
  const read = new Map<string, ExportedSecret>();
  let before: Markers = new Map();
  let settled = false;
  for (let pass = 1; pass <= mostPasses && !settled; pass += 1) {
    const now = await readMarkers(api, mount, key);
    for (const path of read.keys()) if (!now.has(path)) read.delete(path);
    const changed = [...now.keys()].filter((path) => now.get(path) !== before.get(path));
    settled = pass > 1 && changed.length === 0 && now.size === before.size;
    for (const [i, secret] of (
      await mapInLanes(changed, (path) => readSecret(api, mount, path, versions))
    ).entries()) {
      const path = changed[i] ?? "";
      if (secret === undefined) read.delete(path);
      else read.set(path, secret);
    }
    before = now;
  }
  const canary = await readSecret(api, mount, canaryPath, "current");
  const secrets = [...read.values(), ...(canary === undefined ? [] : [canary])];
  const config = await readConfig(api, mount);
  context.step(`${secrets.length} secrets below ${mount.path}, key-value version ${mount.version}`);
  const { path, version, description } = mount;
  return {
    document: { kind: "KeyValueMount", mount: path, version, description, config, secrets },
    settled,
  };
}

/** `kv-01-secret.json`: artifact names take few letters, so the number tells mounts apart. */
function documentName(index: number, mount: Mount): string {
  const letters = mount.path
    .replace(/\/$/, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 60);
  return `kv-${String(index + 1).padStart(2, "0")}-${letters}.json`;
}

function deletedOf(mount: ExportedMount): number {
  return mount.secrets.reduce((sum, s) => sum + s.versions.filter((v) => v.data === null).length, 0);
}

function sizeOf(document: NamedDocument["document"]): number {
  switch (document.kind) {
    case "KeyValueMount":
      return document.secrets.length;
    case "AclPolicies":
      return document.policies.length;
    case "List":
      return document.items.length;
  }
}

function added(to: LeftOut, rule: string, count: number): LeftOut {
  return count === 0 ? to : { ...to, [rule]: (to[rule] ?? 0) + count };
}

/** Tokens can be counted by a token with that right alone; without it nothing is said about them. */
async function countOf(api: Api, path: string): Promise<number> {
  return api.list(path).then(
    (keys) => keys.length,
    () => 0,
  );
}
