/** Restores into a folder: a server of its own takes the backup in, is compared with the source's sums, and is stopped. */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ToolPlace } from "../../catalogue/artifact.ts";
import type { Artifact, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, Restored, RestoreRequest } from "../engine.ts";
import { requirePoint } from "../point-target.ts";
import { requireEmpty } from "../target-folder.ts";
import { backupArtifact } from "./capture.ts";
import { compareTables } from "./compare.ts";
import { askText, run } from "./connection.ts";
import { operate } from "./operation.ts";
import { programNameOf } from "./programs.ts";
import { type OwnServer, settingsFile, startOwnServer } from "./server.ts";
import { baseSettings, named, placeSql } from "./sql.ts";
import { backupName, runTool, toolName } from "./tool.ts";

const readTimeoutMs = 24 * 3_600_000;

/** @throws as the contract says; data-damaged when a part of the chain cannot be taken in */
export async function restore(context: EngineContext, request: RestoreRequest): Promise<Restored> {
  const directory = resolve(request.directory);
  const [member] = request.chain;
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  await requireEmpty(directory);
  requirePoint("ClickHouse is", request.target, member.manifest);
  const places: ToolPlace[] = [];
  for (const { manifest, source } of request.chain) places.push(await source.place(carried(manifest)));
  const [place, base] = places;
  if (place === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const server = await startOwnServer(context, directory, commonFolder(places));
  try {
    context.step(`restoring ${member.manifest.id} into a server of its own`);
    if (member.manifest.method === toolName) {
      const name = String(member.manifest.engine["name"] ?? backupName(member.manifest.id));
      await runTool(context, server.connection, place, ["restore_remote", name], server.nativePort);
    } else {
      await takeIn(context, server, member.manifest, place, base);
    }
    context.step("reading every column and comparing it with the source's");
    const checks = await compareTables(server.connection, member.manifest, {
      signal: context.signal,
      timeoutMs: readTimeoutMs,
    });
    const sizeBytes = await askText(
      server.connection,
      "SELECT toString(sum(ifNull(total_bytes, 0))) FROM system.tables WHERE database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')",
      { signal: context.signal },
    );
    return {
      directory,
      restoredBytes: Number(sizeBytes),
      startCommand: `${await programNameOf(context)} server --config-file=${shellWord(join(directory, settingsFile))}`,
      checks,
    };
  } finally {
    await server.stop();
  }
}

async function takeIn(
  context: EngineContext,
  server: OwnServer,
  manifest: Manifest,
  place: ToolPlace,
  base: ToolPlace | undefined,
): Promise<void> {
  if (place.kind === "s3") rememberSecret(place.secretAccessKey);
  const id = `holdfast-restore-${manifest.id}`;
  const settings = base === undefined ? [] : baseSettings(base);
  // A backup of chosen tables does not bring their databases along.
  if (manifest.engine["selected"] !== undefined)
    for (const database of (manifest.engine["databases"] ?? []) as readonly string[])
      await run(server.connection, `CREATE DATABASE IF NOT EXISTS ${named(database)}`, {
        signal: context.signal,
      });
  try {
    const statement = `RESTORE ALL FROM ${placeSql(place)}`;
    await operate(context, server.connection, `${id}-tables`, statement, [...settings, "structure_only = 1"]);
    // Until the server is started again: parts that were merged could not be told from parts that are wrong.
    await run(server.connection, "SYSTEM STOP MERGES", { signal: context.signal });
    await operate(context, server.connection, id, statement, settings);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
    throw new HoldfastError("data-damaged", `the backup cannot be restored: ${error.message}`, {
      cause: error,
      hint: `holdfast verify ${context.policy.name} --level 3 names the objects`,
    });
  }
}

/** @throws manifest-invalid */
export function carried(manifest: Manifest): Artifact {
  const artifact = manifest.artifacts.find((a) => a.name === backupArtifact);
  if (artifact !== undefined) return artifact;
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} has no artifact '${backupArtifact}'`);
}

/** The folder that holds every place, for a server may read backups from nowhere else. */
function commonFolder(places: readonly ToolPlace[]): string | undefined {
  const paths = places.flatMap((p) => (p.kind === "directory" ? [resolve(p.path)] : []));
  const [first] = paths;
  if (first === undefined) return undefined;
  let common = dirname(first);
  while (common !== "/" && !paths.every((path) => path.startsWith(`${common}/`))) common = dirname(common);
  return common;
}
