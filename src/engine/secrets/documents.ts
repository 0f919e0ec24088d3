/**
 * Documents to artifacts and back. An artifact made in memory is at most 8 MiB, so a long document is cut into
 * numbered pieces that are put together again by `cat`.
 */
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import type { Artifact, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { WatchedPoint } from "../engine.ts";
import { parseExact } from "./json.ts";
import type { ExportedDocument, FingerprintKey, NamedDocument } from "./model.ts";

const pieceBytes = 6 * 1024 * 1024;
export const keyArtifact = "fingerprint-key.json";

/** @throws as the sink does */
export async function storeDocument(sink: ArtifactSink, name: string, document: unknown): Promise<number> {
  const bytes = Buffer.from(`${JSON.stringify(document, undefined, 1)}\n`);
  const count = Math.ceil(bytes.length / pieceBytes);
  for (let i = 0; i < count; i += 1) {
    const piece = bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes);
    await sink.fromBytes(count === 1 ? name : `${name}.${String(i + 1).padStart(4, "0")}`, piece);
  }
  return bytes.length;
}

/** Names of the documents in a point, and the artifacts each is made of, in order. */
export function documentsOf(manifest: Manifest): ReadonlyMap<string, readonly Artifact[]> {
  const documents = new Map<string, Artifact[]>();
  for (const artifact of manifest.artifacts) {
    if (artifact.name === keyArtifact || !/\.json(\.\d{4})?$/.test(artifact.name)) continue;
    const name = artifact.name.replace(/\.\d{4}$/, "");
    documents.set(name, [...(documents.get(name) ?? []), artifact]);
  }
  for (const pieces of documents.values()) pieces.sort((a, b) => (a.name < b.name ? -1 : 1));
  return documents;
}

/** @throws data-damaged; key-missing, key-wrong, object-missing */
export async function readDocuments({ manifest, source }: WatchedPoint): Promise<readonly NamedDocument[]> {
  const read: NamedDocument[] = [];
  for (const [name, pieces] of documentsOf(manifest)) {
    const bytes: Uint8Array[] = [];
    for (const piece of pieces) bytes.push(await source.bytes(piece));
    read.push({ name, document: documentIn(name, Buffer.concat(bytes).toString("utf8")) });
  }
  return read;
}

/** @throws data-damaged */
export function documentIn(name: string, text: string): ExportedDocument {
  try {
    const value = parseExact(text) as ExportedDocument;
    if (["KeyValueMount", "AclPolicies", "List"].includes(value?.kind)) return value;
  } catch {
    // Said below, without a word of the text.
  }
  throw new HoldfastError("data-damaged", `'${name}' is no document of an export`);
}

/** @throws data-damaged when the point has none; key-missing, key-wrong, object-missing */
export async function readKey({ manifest, source }: WatchedPoint): Promise<FingerprintKey> {
  const artifact = manifest.artifacts.find((a) => a.name === keyArtifact);
  if (artifact !== undefined) {
    try {
      const found = JSON.parse(Buffer.from(await source.bytes(artifact)).toString("utf8")) as FingerprintKey;
      if (/^[0-9a-f]{64}$/.test(found.key)) return found;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw new HoldfastError("data-damaged", `point ${manifest.id} has no readable fingerprint key`);
}
