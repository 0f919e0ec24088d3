/** Level 3, without a server: the chain's own metadata against what lies in the store, and the assets decoded. */
import type { Check } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { backupArtifact } from "./capture.ts";
import { type BackupMetadata, metadataFile, missingFiles, parseMetadata } from "./metadata.ts";
import { carried } from "./restore.ts";

/** @throws data-damaged, key-*, object-missing */
export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const checks: Check[] = [];
  let above: BackupMetadata | undefined;
  for (const { manifest, source } of request.chain) {
    context.signal.throwIfAborted();
    const artifact = carried(manifest);
    if (manifest.method === "native") {
      const text = Buffer.from(await source.carriedBytes(artifact, metadataFile)).toString("utf8");
      const metadata = parseMetadata(text);
      checks.push(
        chainCheck(manifest.id, metadata, above),
        filesCheck(manifest.id, metadata, missingFiles(metadata, artifact)),
      );
      above = metadata;
    }
    for (const asset of manifest.artifacts.filter((a) => a.name !== backupArtifact)) {
      const bytes = await source.bytes(asset);
      checks.push({
        name: asset.name,
        ok: bytes.byteLength > 0,
        detail: `${bytes.byteLength} bytes decoded`,
      });
    }
  }
  if (above?.baseUuid !== undefined)
    throw new HoldfastError("data-damaged", "the chain's oldest backup builds on one that is not in it");
  return checks;
}

function chainCheck(id: string, metadata: BackupMetadata, above: BackupMetadata | undefined): Check {
  const ok = above === undefined || above.baseUuid === metadata.uuid;
  const what = above === undefined ? "the newest of its chain" : "what the one above builds on";
  return {
    name: `chain of ${id}`,
    ok,
    detail: ok
      ? `${metadata.uuid}, ${what}`
      : `${metadata.uuid} is not ${above?.baseUuid ?? ""}, on which the one above builds`,
  };
}

function filesCheck(id: string, metadata: BackupMetadata, wrong: readonly string[]): Check {
  return {
    name: `files of ${id}`,
    ok: wrong.length === 0,
    detail:
      wrong.length === 0
        ? `${metadata.files.length} files, each where the backup says`
        : `${wrong.length} wrong: ${wrong.slice(0, 5).join("; ")}`,
  };
}
