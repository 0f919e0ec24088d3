/** What a backup holds, one line per object, read out of Velero's own archive. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { canonicalJson } from "../../canonical-json.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import type { KubeObject } from "./cluster.ts";

export interface InventoryLine {
  /** With its API group, as Velero names folders: `deployments.apps`. */
  readonly resource: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for what the whole cluster shares. */
  readonly namespace: string;
  readonly name: string;
  /** Over the object without status and what a cluster adds; of Secrets and ConfigMaps over their data alone. */
  readonly sha256: string;
}

/** Unpacks `archive` into `directory`. @throws data-damaged when it is no whole archive */
export async function unpack(context: EngineContext, archive: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const argv = [
    "tar",
    "--extract",
    "--gzip",
    "--no-same-owner",
    "--file",
    archive,
    "--directory",
    directory,
  ] as const;
  await context.exec.run({ argv: [...argv] }, { signal: context.signal }).catch((cause: unknown) => {
    if (!(cause instanceof HoldfastError) || cause.code !== "tool-failed") throw cause;
    throw new HoldfastError("data-damaged", `Velero's archive cannot be unpacked: ${cause.message}`, {
      cause,
    });
  });
}

/** In order of resource, namespace and name. @throws data-damaged for a file that is no object */
export async function readInventory(directory: string): Promise<readonly InventoryLine[]> {
  const root = join(directory, "resources");
  const lines: InventoryLine[] = [];
  for (const resource of await foldersIn(root)) {
    for (const scope of ["cluster", "namespaces"] as const) {
      const folder = join(root, resource, scope);
      const namespaces = scope === "cluster" ? [""] : await foldersIn(folder);
      for (const namespace of namespaces) {
        for (const file of await filesIn(join(folder, namespace)))
          lines.push(lineOf(resource, await readObject(join(folder, namespace, file))));
      }
    }
  }
  return lines.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export function nameOf({ resource, namespace, name }: InventoryLine): string {
  return `${resource}/${namespace}/${name}`;
}

export function lineOf(resource: string, object: KubeObject): InventoryLine {
  const { metadata } = object;
  return {
    resource,
    apiVersion: object.apiVersion ?? "",
    kind: object.kind ?? "",
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    sha256: contentHash(resource, object),
  };
}

/** True of kinds whose contents are data, and which a restore leaves exactly as they were. */
export function isData(resource: string): boolean {
  return resource === "secrets" || resource === "configmaps";
}

function contentHash(resource: string, object: KubeObject): string {
  const { status: _, metadata, ...rest } = object;
  const { labels, annotations } = metadata;
  const content = isData(resource)
    ? { type: object["type"], data: object["data"], binaryData: object["binaryData"] }
    : { ...rest, labels, annotations };
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}

/** @throws data-damaged */
export async function inventoryLines(path: string): Promise<readonly InventoryLine[]> {
  const found: InventoryLine[] = [];
  for await (const line of createInterface({ input: createReadStream(path, "utf8") })) {
    if (line === "") continue;
    try {
      found.push(JSON.parse(line) as InventoryLine);
    } catch (cause) {
      throw new HoldfastError("data-damaged", "a line of the inventory is no JSON", { cause });
    }
  }
  return found;
}

async function readObject(path: string): Promise<KubeObject> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as KubeObject;
  } catch (cause) {
    throw new HoldfastError("data-damaged", `'${path}' in Velero's archive is no object`, { cause });
  }
}

async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((e) => e.isDirectory()).map((e) => e.name);
}

async function filesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((e) => e.isFile() && e.name.endsWith(".json")).map((e) => e.name);
}
