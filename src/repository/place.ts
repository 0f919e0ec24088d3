/** Makes an artifact of what a tool has left in its place: each object is read back once and hashed. */
import { createHash } from "node:crypto";
import type { Progress } from "../catalogue/artifact.ts";
import type { Artifact, StoredObject } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { compareKeys } from "../store/keys.ts";
import type { Store } from "../store/store.ts";
import { sha256 } from "./canonical.ts";

const parallelReads = 4;

/**
 * The store's own listing and bytes count, never a size the tool declares.
 * @throws empty-backup when nothing lies there; data-damaged when an object changes while it is read
 */
export async function readPlace(
  store: Store,
  name: string,
  place: string,
  onProgress: (progress: Progress) => void,
): Promise<Artifact> {
  const found: { readonly key: string; readonly sizeBytes: number }[] = [];
  for await (const { key, sizeBytes } of store.list(place)) found.push({ key, sizeBytes });
  if (found.length === 0) throw new HoldfastError("empty-backup", `the tool has left nothing in '${place}'`);
  const totalBytes = found.reduce((sum, o) => sum + o.sizeBytes, 0);
  const objects: StoredObject[] = [];
  let doneBytes = 0;
  const queue = found.values();
  const worker = async (): Promise<void> => {
    for (const { key, sizeBytes } of queue) {
      const hash = createHash("sha256");
      let readBytes = 0;
      for await (const chunk of await store.read(key)) {
        hash.update(chunk as Buffer);
        readBytes += (chunk as Buffer).length;
      }
      if (readBytes !== sizeBytes)
        throw new HoldfastError(
          "data-damaged",
          `object '${key}' was listed with ${sizeBytes} bytes and ${readBytes} were read`,
        );
      doneBytes += readBytes;
      onProgress({ step: `reading back ${name}`, doneBytes, totalBytes });
      objects.push({ key, sizeBytes, sha256: hash.digest("hex") });
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, worker));
  objects.sort((a, b) => compareKeys(a.key, b.key));
  const lines = objects.map((o) => `${o.sha256}  ${o.key.slice(place.length)}\n`);
  return {
    name,
    codec: "none",
    carried: true,
    objects,
    plainSha256: sha256(Buffer.from(lines.join(""))),
    plainSizeBytes: totalBytes,
  };
}

/** One object of a carried artifact, checked against its hash. @throws data-damaged, object-missing */
export async function carriedBytes(store: Store, artifact: Artifact, key: string): Promise<Uint8Array> {
  const object = artifact.objects.find((o) => o.key === key);
  if (object === undefined)
    throw new HoldfastError("object-missing", `artifact '${artifact.name}' has no object '${key}'`);
  const { bytes } = await store.get(key);
  if (bytes.length !== object.sizeBytes || sha256(bytes) !== object.sha256)
    throw new HoldfastError("data-damaged", `object '${key}': its hash is not the one in the manifest`);
  return bytes;
}
