/**
 * A point is an inventory of the replica, taken once everything the source had at one instant is proved to be
 * there: a canary has come over, and two sorted listings show no difference older than it.
 */
import { readFile } from "node:fs/promises";
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
const program = join(import.meta.dirname, "inventory.ts");
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
  await untilEqual(context, input, atMs + settings.maxLagMs);
  context.step(`inventory of the replica ${placeOf(replica)}`);
  const path = join(context.workDirectory, "summary.json");
  await sink.fromCommand(inventoryArtifact, commandOf(input, path));
  const summary = await readSummary(path);
  requireEqual(source, replica, summary);
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

/** Compares until nothing older than the canary is different. @throws data-damaged once the lag allowed is over */
async function untilEqual(context: EngineContext, input: InventoryInput, giveUpAtMs: number): Promise<void> {
  const path = join(context.workDirectory, "compared.json");
  for (;;) {
    context.step("comparing both sides");
    const pipe = context.exec.pipe([commandOf({ ...input, sample: 0 }, path)], {
      signal: context.signal,
    });
    pipe.output?.resume();
    await pipe.done;
    const summary = await readSummary(path);
    if (summary.differences === 0) return;
    if (context.clock.nowMs() > giveUpAtMs) return requireEqual(input.source, input.replica, summary);
    await context.clock.wait(againMs, context.signal);
  }
}

function commandOf(input: InventoryInput, summary: string): Command {
  return { argv: [process.execPath, program, summary], env: { [inputName]: JSON.stringify(input) } };
}

async function readSummary(path: string): Promise<InventorySummary> {
  return JSON.parse(await readFile(path, "utf8")) as InventorySummary;
}

/** @throws data-damaged naming the first differences */
function requireEqual(source: Side, replica: Side, summary: InventorySummary): void {
  if (summary.differences === 0) return;
  const shown = summary.examples.slice(0, 5).map((d) => `${d.kind}: '${d.key}' (${d.detail})`);
  throw new HoldfastError(
    "data-damaged",
    `the replica ${placeOf(replica)} differs from ${placeOf(source)} in ${summary.differences} places: ${shown.join("; ")}`,
    { hint: `mc replicate resync start source/${source.bucket} carries over again what the replica lacks` },
  );
}
