/** Fetches Velero's archive, unpacks it, and compares it with the point's own inventory. */
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Artifact, Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, Restored, RestoreRequest } from "../engine.ts";
import { requirePoint } from "../point-target.ts";
import { requireEmpty } from "../target-folder.ts";
import { fetchObject } from "./bucket.ts";
import { inventoryArtifact, placeArtifact } from "./capture.ts";
import { type InventoryLine, inventoryLines, nameOf, readInventory, unpack } from "./inventory.ts";
import { requireBucket } from "./objects.ts";

export const objectsFolder = "objects";

/** @throws as the contract says */
export async function restore(context: EngineContext, request: RestoreRequest): Promise<Restored> {
  const directory = resolve(request.directory);
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  requirePoint("a cluster is", request.target, member.manifest);
  await requireEmpty(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { check, unpackedBytes } = await fetchAndCompare(context, request, directory);
  return {
    directory,
    restoredBytes: unpackedBytes,
    startCommand: `kubectl apply --recursive --filename ${shellWord(join(directory, objectsFolder, "resources"))}`,
    checks: [check],
  };
}

/** After it the archive lies unpacked below `directory`. */
export async function fetchAndCompare(
  context: EngineContext,
  request: RestoreRequest,
  directory: string,
): Promise<{ readonly check: Check; readonly unpackedBytes: number }> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  const { manifest, source } = member;
  const inventory = join(directory, inventoryArtifact);
  await source.intoFile(artifactOf(manifest, inventoryArtifact), inventory);
  const carried = artifactOf(manifest, placeArtifact);
  const place = requireBucket(await source.place(carried));
  const backup = String(manifest.engine["backup"]);
  const key = `backups/${backup}/${backup}.tar.gz`;
  const archive = join(directory, `${backup}.tar.gz`);
  context.step("fetching Velero's archive");
  const { sha256 } = await fetchObject(place, key, archive, context.signal);
  const stored = carried.objects.find((o) => o.key.endsWith(`/${placeArtifact}/${key}`));
  if (stored?.sha256 !== sha256) {
    throw new HoldfastError("data-damaged", `object '${stored?.key ?? key}' is not what Velero had stored`);
  }
  await unpack(context, archive, join(directory, objectsFolder));
  const found = await readInventory(join(directory, objectsFolder));
  const check = compare(await inventoryLines(inventory), found);
  return { check, unpackedBytes: (await stat(archive)).size };
}

function compare(wanted: readonly InventoryLine[], found: readonly InventoryLine[]): Check {
  const there = new Map(found.map((line) => [nameOf(line), line.sha256]));
  const wrong = wanted.filter((line) => there.get(nameOf(line)) !== line.sha256).map(nameOf);
  const known = new Set(wanted.map(nameOf));
  wrong.push(...found.map(nameOf).filter((name) => !known.has(name)));
  return {
    name: "inventory",
    ok: wrong.length === 0 && wanted.length > 0,
    detail:
      wrong.length === 0
        ? `${wanted.length} objects with the contents of the inventory`
        : `${wrong.length} of ${wanted.length} objects are not as the inventory says: ${wrong.slice(0, 5).join(", ")}`,
  };
}

/** @throws manifest-invalid */
export function artifactOf(manifest: Manifest, name: string): Artifact {
  const found = manifest.artifacts.find((a) => a.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} names no '${name}'`);
}
