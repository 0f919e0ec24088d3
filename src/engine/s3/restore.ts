/** Copies from the replica into a folder, as it was at the instant; what came is compared with the inventory. */
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Artifact, Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, RecoveryTarget, Restored, RestoreRequest } from "../engine.ts";
import { requireEmpty } from "../target-folder.ts";
import { inventoryArtifact } from "./capture.ts";
import type { InventoryLine } from "./inventory.ts";
import { mcEnvironment, mcPath } from "./mc.ts";
import { canaryKey, ownPrefix, replicaOf, type Side, withSide } from "./sides.ts";
import { compareKeys, listEntries } from "./versions.ts";

export const dataFolder = "data";
const batchFiles = 200;

/** @throws as the contract says */
export async function restore(context: EngineContext, request: RestoreRequest): Promise<Restored> {
  const directory = resolve(request.directory);
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  const { manifest, source } = member;
  await requireEmpty(directory);
  const rewindMs = rewindTo(request.target, manifest);
  await mkdir(join(directory, dataFolder), { recursive: true, mode: 0o700 });
  const inventory = join(directory, inventoryArtifact);
  await source.intoFile(inventoryOf(manifest), inventory);
  const replica = await replicaOf(context, "read");
  await copyAll(context, replica, join(directory, dataFolder), rewindMs);
  const checks: Check[] = [];
  if (rewindMs === Date.parse(manifest.consistentAt)) {
    await removeLater(replica, directory);
    checks.push(await compare(context, replica, directory));
  } else await settle(context, replica, directory, rewindMs);
  return {
    directory,
    restoredBytes: await bytesBelow(join(directory, dataFolder)),
    startCommand: `mc mirror ${shellWord(join(directory, dataFolder))} TARGET/BUCKET`,
    checks,
  };
}

/** @throws manifest-invalid */
export function inventoryOf(manifest: Manifest): Artifact {
  const found = manifest.artifacts.find((a) => a.name === inventoryArtifact);
  if (found !== undefined) return found;
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} names no '${inventoryArtifact}'`);
}

/** The lines of an inventory on disk, one at a time. @throws data-damaged */
export async function* linesOf(path: string): AsyncGenerator<InventoryLine> {
  for await (const line of createInterface({
    input: createReadStream(path, "utf8"),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (line === "") continue;
    try {
      yield JSON.parse(line) as InventoryLine;
    } catch (cause) {
      throw new HoldfastError("data-damaged", "a line of the inventory is no JSON", { cause });
    }
  }
}

function rewindTo(target: RecoveryTarget, manifest: Manifest): number {
  if (target.kind === "point" || target.kind === "latest") return Date.parse(manifest.consistentAt);
  if (target.kind === "time") return Date.parse(target.at);
  throw new HoldfastError("target-unreachable", "a bucket is restored to an instant or to a point", {
    hint: "use --at TIME",
  });
}

/** The client copies by itself; afterwards what is ours lies no longer among the data, except the canary. */
async function copyAll(
  context: EngineContext,
  replica: Side,
  directory: string,
  rewindMs: number,
): Promise<void> {
  context.step(`copying ${replica.bucket} as of ${new Date(rewindMs).toISOString()}`);
  // The client counts in whole seconds; what came within the second is compared with the inventory.
  const rewind = new Date(Math.ceil(rewindMs / 1000) * 1000).toISOString().replace(".000Z", "Z");
  await context.exec.run(
    {
      argv: [
        ...([await mcPath(context), "cp", "--recursive", "--rewind", rewind] as const),
        `${replica.name}/${replica.bucket}/`,
        `${directory}/`,
      ],
      env: mcEnvironment(context, replica),
    },
    {
      signal: context.signal,
      ...(context.policy.deadlineMs > 0 ? { deadlineMs: context.policy.deadlineMs } : {}),
    },
  );
  const kept = `${directory}.canary`;
  await rename(join(directory, canaryKey), kept).catch(() => undefined);
  await rm(join(directory, ownPrefix), { recursive: true, force: true });
}

/** Where a key's bytes lie. @throws data-damaged for a key that would lead out of the folder */
function fileOf(directory: string, key: string): string {
  if (key.startsWith("/") || key.split("/").includes(".."))
    throw new HoldfastError("data-damaged", `the key '${key}' leads out of the folder`, {
      hint: "restore it into a bucket with mc mirror",
    });
  return join(directory, dataFolder, key);
}

/** What the client took along of the second in which the point was taken, and the point does not hold. */
function removeLater(replica: Side, directory: string): Promise<void> {
  return withSide(replica, async (client) => {
    const lines = linesOf(join(directory, inventoryArtifact))[Symbol.asyncIterator]();
    let line = await lines.next();
    for await (const { key } of listEntries(client, replica)) {
      while (line.done !== true && compareKeys(line.value.key, key) < 0) line = await lines.next();
      if (line.done === true || line.value.key !== key) await rm(fileOf(directory, key), { force: true });
    }
  });
}

/** Of keys that changed within the second of the target, the version of the instant itself. */
function settle(context: EngineContext, replica: Side, directory: string, atMs: number): Promise<void> {
  const secondMs = Math.ceil(atMs / 1000) * 1000;
  return withSide(replica, async (client) => {
    for await (const { key, versions } of listEntries(client, replica)) {
      if (!versions.some((v) => v.modifiedMs > atMs && v.modifiedMs <= secondMs)) continue;
      const wanted = versions.find((v) => v.modifiedMs <= atMs);
      await rm(fileOf(directory, key), { force: true });
      if (wanted === undefined || wanted.isMarker) continue;
      await fetchVersion(context, replica, directory, { key, ...wanted });
    }
  });
}

/** Size of every file, and MD5 of those whose entity tag is one, against the inventory; a wrong version is fetched by its id. */
async function compare(context: EngineContext, replica: Side, directory: string): Promise<Check> {
  const wrong: string[] = [];
  let count = 0;
  let batch: InventoryLine[] = [];
  const judge = async (): Promise<void> => {
    for (const line of await differing(context, directory, batch)) {
      await fetchVersion(context, replica, directory, line);
      if ((await differing(context, directory, [line])).length > 0) wrong.push(line.key);
    }
    batch = [];
  };
  for await (const line of linesOf(join(directory, inventoryArtifact))) {
    count += 1;
    batch.push(line);
    if (batch.length === batchFiles) await judge();
  }
  await judge();
  const ok = wrong.length === 0;
  const detail = ok
    ? `${count} objects with the sizes and sums of the inventory`
    : `${wrong.length} of ${count} objects are not as the inventory says: ${wrong.slice(0, 5).join(", ")}`;
  return { name: "objects", ok, detail };
}

async function differing(
  context: EngineContext,
  directory: string,
  lines: readonly InventoryLine[],
): Promise<readonly InventoryLine[]> {
  const pathOf = (line: InventoryLine): string => fileOf(directory, line.key);
  const wrong = new Set<InventoryLine>();
  const summed: InventoryLine[] = [];
  for (const line of lines) {
    const size = await stat(pathOf(line)).then(
      (found) => found.size,
      () => -1,
    );
    if (size !== line.sizeBytes) wrong.add(line);
    else if (/^[0-9a-f]{32}$/.test(line.etag)) summed.push(line);
  }
  if (summed.length === 0) return [...wrong];
  const { stdout } = await context.exec.run(
    { argv: ["md5sum", "--zero", "--", ...summed.map(pathOf)] },
    { signal: context.signal },
  );
  const sums = stdout.split("\0").map((line) => line.slice(0, 32));
  for (const [index, line] of summed.entries()) if (sums[index] !== line.etag) wrong.add(line);
  return [...wrong];
}

async function fetchVersion(
  context: EngineContext,
  replica: Side,
  directory: string,
  line: InventoryLine,
): Promise<void> {
  const target = fileOf(directory, line.key);
  await context.exec
    .run(
      {
        argv: [
          ...([await mcPath(context), "cp", "--version-id", line.versionId] as const),
          `${replica.name}/${replica.bucket}/${line.key}`,
          target,
        ],
        env: mcEnvironment(context, replica),
      },
      { signal: context.signal },
    )
    .catch((error: unknown) => {
      // It stays wrong, and is named as such.
      context.log.warn("a version could not be fetched", { key: line.key, cause: String(error) });
    });
}

async function bytesBelow(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  return sum;
}
