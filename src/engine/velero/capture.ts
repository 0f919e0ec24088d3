/**
 * A point is a backup that Velero has made into a place of its own, under a storage location that lives as long as
 * the capture: nothing in the cluster can delete it afterwards. It counts once its archive has been read back and
 * compared with what the cluster held.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { fetchObject } from "./bucket.ts";
import { type Cluster, type KubeObject, openCluster } from "./cluster.ts";
import { type Coverage, coverageOf, gapText } from "./coverage.ts";
import { readExpected } from "./expected.ts";
import { type InventoryLine, readInventory, unpack } from "./inventory.ts";
import { clearAway, hasEnded, openLocation, phaseOf } from "./location.ts";
import { type BucketPlace, backupObject, type Made, requireBucket, rightsOf, veleroPath } from "./objects.ts";
import { askVelero } from "./presence.ts";
import { backupName, settingsOf } from "./settings.ts";

export const placeArtifact = "velero";
export const inventoryArtifact = "inventory.ndjson";
export const resultArtifact = "result.json";
const lookEveryMs = 500;
const mebibyte = 1024 * 1024;

interface Results {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** @throws as the contract says; data-damaged when the backup lacks what has to be in it */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const { policy } = context;
  const settings = settingsOf(policy);
  const place = requireBucket(await sink.place(placeArtifact));
  const reading = { ...place, ...rightsOf(requireBucket(await context.store("read"))) };
  const cluster = await openCluster(context, context.signal);
  await clearAway(context, "capture");
  const name = backupName(policy, request.id);
  const made: Made = { name, namespace: settings.namespace, policy: policy.name, part: "capture" };
  let taken: Taken;
  try {
    taken = await take(context, cluster, made, place, reading);
  } finally {
    await clearAway(context, "capture");
  }
  const { backup, inventory, coverage, results } = taken;
  requireCovered(coverage);
  const path = join(context.workDirectory, inventoryArtifact);
  await writeFile(path, inventory.map((line) => `${JSON.stringify(line)}\n`).join(""), { mode: 0o600 });
  await sink.fromFile(inventoryArtifact, path);
  const result = { backup: name, status: backup.status, results, coverage };
  await sink.fromBytes(resultArtifact, Buffer.from(JSON.stringify(result)));
  context.step("reading back what Velero has stored");
  const { artifact } = await sink.fromPlace(placeArtifact);
  return {
    capture: "full",
    parents: [],
    filesCount: inventory.length,
    tools: { velero: taken.veleroVersion },
    server: { version: taken.version, identity: taken.identity },
    restoreNeeds: {
      diskBytes: Math.ceil(taken.unpackedBytes * 1.1) + 16 * mebibyte,
      memoryBytes: 256 * mebibyte,
    },
    engine: {
      backup: name,
      bucket: place.bucket,
      prefix: place.keyPrefix,
      objects: artifact.objects.length,
      namespaces: [...new Set(inventory.map((l) => l.namespace))].filter((n) => n !== ""),
      volumesExpected: coverage.volumesExpected,
      volumesCaptured: coverage.volumesCaptured,
      volumeBytes: coverage.volumeBytes,
      uncovered: coverage.uncovered.slice(0, 100),
      warnings: results.warnings.slice(0, 20),
      warningsCount: results.warnings.length,
    },
    consistentAt: instant(Date.parse(String(backup.status?.["startTimestamp"]))),
  };
}

interface Taken {
  readonly backup: KubeObject;
  readonly inventory: readonly InventoryLine[];
  readonly coverage: Coverage;
  readonly results: Results;
  readonly version: string;
  readonly identity: string;
  readonly veleroVersion: string;
  readonly unpackedBytes: number;
}

async function take(
  context: EngineContext,
  cluster: Cluster,
  made: Made,
  place: BucketPlace,
  reading: BucketPlace,
): Promise<Taken> {
  const settings = settingsOf(context.policy);
  const version = await cluster.versionText();
  const identity = await identityOf(cluster);
  const veleroVersion = await askVelero(context, cluster);
  const before = await readExpected(cluster, settings);
  await openLocation(context, cluster, made, place);
  await cluster.create(veleroPath(made.namespace, "backups"), backupObject(made, made.name, settings));
  const backup = await untilEnded(context, cluster, veleroPath(made.namespace, "backups", made.name));
  const results = await readResults(context, reading, made.name);
  const phase = phaseOf(backup);
  if (phase !== "Completed") {
    const reasons = [
      ...((backup.status?.["validationErrors"] as readonly string[] | undefined) ?? []),
      ...(backup.status?.["failureReason"] === undefined ? [] : [String(backup.status["failureReason"])]),
      ...results.errors,
    ];
    throw new HoldfastError(
      "tool-failed",
      `Velero's backup ended as ${phase}: ${reasons.slice(0, 5).join("; ") || "no reason given"}`,
      { hint: `kubectl --namespace ${made.namespace} logs deployment/velero` },
    );
  }
  const after = await readExpected(cluster, settings);
  const copies = await cluster.list(
    veleroPath(made.namespace, "podvolumebackups"),
    `velero.io/backup-name=${made.name}`,
  );
  const archive = join(context.workDirectory, `${made.name}.tar.gz`);
  await fetchObject(reading, `backups/${made.name}/${made.name}.tar.gz`, archive, context.signal);
  const folder = join(context.workDirectory, made.name);
  await unpack(context, archive, folder);
  const inventory = await readInventory(folder);
  const coverage = coverageOf(settings, before, after, inventory, copies);
  const { stdout } = await context.exec.run(
    { argv: ["du", "-sb", "--", folder] },
    { signal: context.signal },
  );
  return {
    backup,
    inventory,
    coverage,
    results,
    version,
    identity,
    veleroVersion,
    unpackedBytes: Number.parseInt(stdout, 10),
  };
}

/** A cluster is known by its oldest namespace. */
export async function identityOf(cluster: Cluster): Promise<string> {
  const found = await cluster.get("/api/v1/namespaces/kube-system");
  return String(found?.metadata["uid"] ?? "");
}

export async function untilEnded(
  context: EngineContext,
  cluster: Cluster,
  path: string,
): Promise<KubeObject> {
  let told = "";
  for (;;) {
    const found = await cluster.get(path);
    if (found === undefined)
      throw new HoldfastError("tool-failed", `somebody has deleted '${path}' under way`);
    if (hasEnded(found)) return found;
    const { itemsBackedUp, itemsRestored, totalItems } = (found.status?.["progress"] ?? {}) as Record<
      string,
      number
    >;
    const now = `Velero: ${phaseOf(found) || "waiting"}${totalItems === undefined ? "" : `, ${itemsBackedUp ?? itemsRestored ?? 0} of ${totalItems} objects`}`;
    if (now !== told) context.step(now);
    told = now;
    await context.clock.wait(lookEveryMs, context.signal);
  }
}

async function readResults(context: EngineContext, place: BucketPlace, name: string): Promise<Results> {
  const path = join(context.workDirectory, "results.gz");
  try {
    await fetchObject(place, `backups/${name}/${name}-results.gz`, path, context.signal);
    return parseResults(gunzipSync(await readFile(path)).toString("utf8"));
  } catch (error) {
    // A backup that failed early has stored none; its status says why.
    if (error instanceof HoldfastError && error.code === "object-missing")
      return { errors: [], warnings: [] };
    throw error;
  }
}

/** Velero's results, each with the namespace it is about. */
export function parseResults(text: string): Results {
  const found = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const flat = (part: Record<string, unknown> = {}): readonly string[] =>
    Object.entries(part).flatMap(([key, value]) => {
      if (Array.isArray(value))
        return value.map((one) => (key === "velero" ? String(one) : `${key}: ${String(one)}`));
      return flat((value ?? {}) as Record<string, unknown>);
    });
  return { errors: flat(found["errors"]), warnings: flat(found["warnings"]) };
}

/** @throws data-damaged naming what is missing where everything has to be there */
function requireCovered({ missing }: Coverage): void {
  if (missing.length === 0) return;
  throw new HoldfastError("data-damaged", `Velero says Completed, and the backup lacks ${gapText(missing)}`, {
    hint: "no point was made of it; mend what the reason says, or take the namespace out of the policy",
  });
}
