/** Restores into a folder: the documents as they were exported, or the snapshot, readable by their owner alone. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, Restored, RestoreRequest, WatchedPoint } from "../engine.ts";
import { requirePoint } from "../point-target.ts";
import { requireEmpty } from "../target-folder.ts";
import { snapshotArtifact } from "./capture.ts";
import { readDocuments, readKey } from "./documents.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { NamedDocument } from "./model.ts";

/** @throws as the contract says */
export async function restore(context: EngineContext, request: RestoreRequest): Promise<Restored> {
  const directory = resolve(request.directory);
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  await requireEmpty(directory);
  requirePoint("secrets are", request.target, member.manifest);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  context.step(`decoding the secrets of ${member.manifest.id}`);
  const snapshot = snapshotOf(member.manifest);
  if (snapshot !== undefined) {
    const path = join(directory, snapshotArtifact);
    await member.source.intoFile(snapshot, path);
    await chmod(path, 0o600);
    return {
      directory,
      restoredBytes: snapshot.plainSizeBytes,
      startCommand: `bao operator raft snapshot restore -force ${shellWord(path)}`,
      checks: [],
    };
  }
  const { documents, check } = await checkedDocuments(member);
  let restoredBytes = 0;
  for (const { name, document } of documents) {
    const text = `${JSON.stringify(document, undefined, 1)}\n`;
    restoredBytes += Buffer.byteLength(text);
    await writeFile(join(directory, name), text, { mode: 0o600 });
  }
  return { directory, restoredBytes, startCommand: startCommand(directory, documents), checks: [check] };
}

/** The snapshot of a point that is one; undefined for an export. */
export function snapshotOf(manifest: Manifest): Manifest["artifacts"][number] | undefined {
  return manifest.artifacts.find((a) => a.name === snapshotArtifact);
}

/** The documents of a point, and whether they are the ones its manifest speaks of. @throws data-damaged, key-* */
export async function checkedDocuments(
  member: WatchedPoint,
): Promise<{ readonly documents: readonly NamedDocument[]; readonly key: string; readonly check: Check }> {
  const documents = await readDocuments(member);
  const { key } = await readKey(member);
  const found = fingerprintOf(key, documents);
  const wanted = member.manifest.engine["documents"] as Readonly<Record<string, string>> | undefined;
  const wrong = [...new Set([...Object.keys(wanted ?? {}), ...Object.keys(found)])].filter(
    (name) => name !== "" && wanted?.[name] !== found[name],
  );
  const ok =
    wrong.length === 0 && found[""] === member.manifest.engine["fingerprint"] && documents.length > 0;
  const detail = ok
    ? `${documents.length} documents with the fingerprints of the export`
    : `other fingerprints than at the export: ${wrong.join(", ") || "the whole"}`;
  return { documents, key, check: { name: "fingerprints", ok, detail } };
}

function startCommand(directory: string, documents: readonly NamedDocument[]): string {
  const folder = shellWord(directory);
  const objects = documents.filter(({ document }) => document.kind === "List");
  return [
    ...(objects.length < documents.length
      ? [`# into a server: RESTORE.md has the loader for the kv-*.json in ${folder}`]
      : []),
    ...objects.map(({ name }) => `kubectl create -f ${folder}/${name}`),
  ].join("; ");
}
