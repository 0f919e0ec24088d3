/**
 * Key-value mounts of OpenBao and Vault, versions 1 and 2, through their API.
 * @see https://openbao.org/api-docs/secret/kv/
 */
import { HoldfastError } from "../../errors.ts";
import { mapInLanes } from "../lanes.ts";
import { type Api, escapePath } from "./api.ts";
import { keyed } from "./fingerprint.ts";
import { canonical } from "./json.ts";
import type { ExportedMount, ExportedPolicies, ExportedSecret, SecretVersion } from "./model.ts";
import { canaryPath } from "./settings.ts";

export interface Mount {
  /** With a final slash. */
  readonly path: string;
  readonly version: 1 | 2;
  readonly description: string;
}

export interface MountList {
  readonly mounts: readonly Mount[];
  /** Secret engines that hold no key-value data, by type. */
  readonly others: Readonly<Record<string, number>>;
}

interface MountFacts {
  readonly type?: string;
  readonly description?: string;
  readonly options?: { readonly version?: string } | null;
}

interface Metadata {
  readonly current_version?: number;
  readonly updated_time?: string;
  readonly custom_metadata?: Readonly<Record<string, string>> | null;
  readonly max_versions?: number;
  readonly cas_required?: boolean;
  readonly delete_version_after?: string;
  readonly versions?: Readonly<
    Record<
      string,
      { readonly created_time: string; readonly deletion_time: string; readonly destroyed: boolean }
    >
  >;
}

/** Each path of a mount and what changes with its value. */
export type Markers = ReadonlyMap<string, string>;

/**
 * The named mounts, or all key-value mounts.
 * @throws tool-failed when a named mount is not there, is none of key-value, or may not be seen
 */
export async function findMounts(api: Api, wanted: readonly string[] | undefined): Promise<MountList> {
  if (wanted === undefined) {
    const all = Object.entries((await api.read("sys/mounts")) ?? {}) as [string, MountFacts][];
    const others: Record<string, number> = {};
    for (const [, { type = "unknown" }] of all) {
      const name = `mounts of type ${type}`;
      if (type !== "kv") others[name] = (others[name] ?? 0) + 1;
    }
    return { mounts: all.filter(([, m]) => m.type === "kv").map(([path, m]) => mountOf(path, m)), others };
  }
  const mounts = await mapInLanes(wanted, async (path) => {
    const place = escapePath(path.replace(/\/$/, ""));
    const facts = (await api.read(`sys/internal/ui/mounts/${place}`)) as MountFacts | undefined;
    if (facts?.type === "kv") return mountOf(path, facts);
    throw new HoldfastError(
      "tool-failed",
      `'${path}' is ${facts === undefined ? "not mounted" : `of type '${facts.type}', not key-value`}`,
      {
        hint: "mend capture.options.vaultMounts",
      },
    );
  });
  return { mounts, others: {} };
}

function mountOf(path: string, { description = "", options }: MountFacts): Mount {
  return { path, version: options?.version === "2" ? 2 : 1, description };
}

/** Every path below the mount, sorted. @throws tool-failed naming the first folder that may not be listed */
export async function listPaths(api: Api, mount: Mount): Promise<readonly string[]> {
  const root = mount.version === 2 ? `${escapePath(mount.path)}metadata/` : escapePath(mount.path);
  const paths: string[] = [];
  let folders: readonly string[] = [""];
  while (folders.length > 0) {
    const listed = await mapInLanes(folders, async (folder) => {
      const keys = await api.list(`${root}${escapePath(folder)}`);
      return keys.map((key) => `${folder}${key}`);
    });
    const found = listed.flat();
    paths.push(...found.filter((p) => !p.endsWith("/")));
    folders = found.filter((p) => p.endsWith("/"));
  }
  return paths.sort();
}

/** Cheap for version 2; version 1 has no markers, so its values are read and digested with `key`. */
export async function readMarkers(api: Api, mount: Mount, key: string): Promise<Markers> {
  const paths = (await listPaths(api, mount)).filter((path) => path !== canaryPath);
  const marks = await mapInLanes(paths, async (path) => {
    const place = placeOf(mount, "metadata", path);
    const read = await api.read(place);
    if (read === undefined) return "";
    return mount.version === 2 ? markOf(read as Metadata, key) : keyed(key, canonical(read));
  });
  return new Map(paths.map((path, i) => [path, marks[i] ?? ""]));
}

function markOf(metadata: Metadata, key: string): string {
  return keyed(key, canonical(metadata));
}

function placeOf(mount: Mount, part: "data" | "metadata", path: string): string {
  const middle = mount.version === 2 ? `${part}/` : "";
  return `${escapePath(mount.path)}${middle}${escapePath(path)}`;
}

/** Undefined when it went away in the meantime. */
export async function readSecret(
  api: Api,
  mount: Mount,
  path: string,
  versions: "all" | "current",
): Promise<ExportedSecret | undefined> {
  if (mount.version === 1) {
    const data = await api.read(placeOf(mount, "data", path));
    return data === undefined ? undefined : { path, versions: [{ version: 1, createdAt: "", data }] };
  }
  const metadata = (await api.read(placeOf(mount, "metadata", path))) as Metadata | undefined;
  if (metadata === undefined) return undefined;
  const current = metadata.current_version ?? 0;
  const known = Object.entries(metadata.versions ?? {})
    .map(([number, facts]) => ({ number: Number(number), facts }))
    .filter(({ number }) => versions === "all" || number === current)
    .sort((a, b) => a.number - b.number);
  const read: SecretVersion[] = [];
  for (const { number, facts } of known) {
    const data = facts.destroyed ? null : await readVersion(api, mount, path, number);
    read.push({ version: number, createdAt: facts.created_time, data });
  }
  return {
    path,
    metadata: {
      current,
      custom: metadata.custom_metadata ?? {},
      maxVersions: metadata.max_versions ?? 0,
      casRequired: metadata.cas_required ?? false,
      deleteVersionAfter: metadata.delete_version_after ?? "0s",
    },
    versions: read,
  };
}

/** Null for a deleted version: the server answers 404 and keeps the value to itself. */
async function readVersion(api: Api, mount: Mount, path: string, version: number): Promise<unknown> {
  const answer = await api.read(`${placeOf(mount, "data", path)}?version=${version}`);
  return answer?.["data"] ?? null;
}

export async function readConfig(api: Api, mount: Mount): Promise<ExportedMount["config"]> {
  if (mount.version === 1) return {};
  const config = (await api.read(`${escapePath(mount.path)}config`)) ?? {};
  const { max_versions = 0, cas_required = false, delete_version_after = "0s" } = config;
  return { max_versions, cas_required, delete_version_after };
}

/** All ACL policies but `root`, which every server has and nobody can change. */
export async function readPolicies(api: Api): Promise<ExportedPolicies> {
  const names = (await api.list("sys/policies/acl")).filter((name) => name !== "root").sort();
  const policies = await mapInLanes(names, async (name) => {
    const policy = (await api.read(`sys/policies/acl/${escapePath(name)}`))?.["policy"];
    return { name, policy: String(policy ?? "") };
  });
  return { kind: "AclPolicies", policies };
}
