/**
 * A point is an inventory of the replica, taken once everything the source had at one instant is proved to be
 * there: a canary has come over, and two sorted listings show no difference older than it.
 */
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactSink, Command } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { measureLag } from "./canary.ts";
import type { InventoryInput, InventorySummary } from "./inventory.ts";
import { placeOf, replicaOf, type Side, settingsOf, sourceOf } from "./sides.ts";

export const inventoryArtifact = "inventory.ndjson";
const inputName = "HOLDFAST_INVENTORY";
const program = join(import.meta.dirname, "inventory-program.mjs");
const againMs = 2000;
const mebibyte = 1024 * 1024;
/** Fewer deletions than that are no storm, whatever their share. */
const leastStorm = 10;

/** @throws as the contract says; objective-missed when replication is behind, data-damaged when the replica differs */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const settings = settingsOf(context.policy);
  const [source, replica] = [await sourceOf(context), await replicaOf(context, "read")];
  const atMs = context.clock.nowMs();
  const lagSeconds = await measureLag(context, source, replica, settings.maxLagMs);
  const input: InventoryInput = {
    source,
    replica,
    rules: { settledBeforeMs: atMs, deleteMarkers: settings.deleteMarkers, deletes: settings.deletes },
    sample: settings.sample,
    seed: request.id,
    sinceMs: Date.parse(request.newest?.manifest.consistentAt ?? "") || atMs,
  };
  const listed = join(context.workDirectory, inventoryArtifact);
  const summary = await untilEqual(context, input, atMs + settings.maxLagMs, listed);
  await sink.fromFile(inventoryArtifact, listed);
  await rm(listed);
  const before = Number(request.newest?.manifest.engine["currentObjects"] ?? 0);
  const isStorm =
    summary.deletedSince >= leastStorm && summary.deletedSince > settings.stormShare * Math.max(before, 1);
  return {
    capture: "full",
    parents: [],
    filesCount: summary.currentObjects,
    tools: { holdfast: "inventory 1" },
    server: { version: "S3 2006-03-01", identity: placeOf(source) },
    restoreNeeds: {
      diskBytes: Math.ceil(summary.currentBytes * 1.05) + 16 * mebibyte,
      memoryBytes: 256 * mebibyte,
    },
    engine: {
      lagSeconds,
      replica: placeOf(replica),
      currentObjects: summary.currentObjects,
      currentBytes: summary.currentBytes,
      versions: summary.versions,
      markers: summary.markers,
      sampled: summary.sampled,
      deletedSince: summary.deletedSince,
      deletionStorm: isStorm,
    },
    consistentAt: instant(atMs),
  };
}

/**
 * Compares until nothing older than the canary is different; `listed` is then the inventory of that very comparison.
 * @throws data-damaged once the lag allowed is over
 */
async function untilEqual(
  context: EngineContext,
  input: InventoryInput,
  giveUpAtMs: number,
  listed: string,
): Promise<InventorySummary> {
  const { source, replica } = input;
  for (;;) {
    context.step(`comparing the replica ${placeOf(replica)} with ${placeOf(source)}`);
    const summary = await compareOnce(context, input, listed);
    if (summary.differences === 0) return summary;
    if (context.clock.nowMs() > giveUpAtMs) throw unequal(source, replica, summary);
    await context.clock.wait(againMs, context.signal);
  }
}

/** The inventory goes to a file, because only at its end is it known whether the two sides are equal. */
async function compareOnce(
  context: EngineContext,
  input: InventoryInput,
  listed: string,
): Promise<InventorySummary> {
  const summaryPath = join(context.workDirectory, "summary.json");
  const file = await open(listed, "w", 0o600);
  try {
    const command: Command = {
      argv: [process.execPath, program, summaryPath],
      env: { [inputName]: JSON.stringify(input) },
    };
    const { signal, policy } = context;
    const deadline = policy.deadlineMs > 0 ? { deadlineMs: policy.deadlineMs } : {};
    await context.exec.pipe([command], { signal, ...deadline, outputDescriptor: file.fd }).done;
  } finally {
    await file.close();
  }
  return JSON.parse(await readFile(summaryPath, "utf8")) as InventorySummary;
}

/** Names the first differences. */
function unequal(source: Side, replica: Side, summary: InventorySummary): HoldfastError {
  const shown = summary.examples.slice(0, 5).map((d) => `${d.kind}: '${d.key}' (${d.detail})`);
  return new HoldfastError(
    "data-damaged",
    `the replica ${placeOf(replica)} differs from ${placeOf(source)} in ${summary.differences} places: ${shown.join("; ")}`,
    { hint: `mc replicate resync start source/${source.bucket} carries over again what the replica lacks` },
  );
}
