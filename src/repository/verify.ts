/** Levels 0 and 2 on the stored objects of one point: there with their size, and byte for byte as written. */
import { createHash } from "node:crypto";
import type { Progress } from "../catalogue/artifact.ts";
import { keys } from "../catalogue/keys.ts";
import type { Manifest, StoredObject } from "../catalogue/manifest.ts";
import { headerLimitBytes, readHeader } from "../crypto/header.ts";
import { HoldfastError } from "../errors.ts";
import { contextOf, type RepositoryContext } from "./context.ts";
import type { ObjectFault } from "./repository.ts";

const parallelReads = 3;

export async function verifyObjects(
  context: RepositoryContext,
  manifest: Manifest,
  depth: "present" | "checksum",
  onProgress: (progress: Progress) => void = () => undefined,
): Promise<readonly ObjectFault[]> {
  const sizes = new Map<string, number>();
  const place = `${keys.data(context.prefix)}${manifest.id}/`;
  for await (const info of context.stores.read.list(place)) sizes.set(info.key, info.sizeBytes);
  const faults: ObjectFault[] = [];
  const toRead: { readonly object: StoredObject; readonly artifact: string; readonly isCarried: boolean }[] =
    [];
  for (const { name: artifact, objects, carried } of manifest.artifacts)
    for (const object of objects) {
      const sizeBytes = sizes.get(object.key);
      const { key } = object;
      if (sizeBytes === undefined)
        faults.push({
          key,
          artifact,
          fault: "missing",
          detail: `${object.sizeBytes} bytes expected, nothing found`,
        });
      else if (sizeBytes !== object.sizeBytes)
        faults.push({
          key,
          artifact,
          fault: "size",
          detail: `${object.sizeBytes} bytes expected, ${sizeBytes} found`,
        });
      else toRead.push({ object, artifact, isCarried: carried === true });
    }
  if (depth === "present") return faults;

  let doneBytes = 0;
  const totalBytes = toRead.reduce((sum, { object }) => sum + object.sizeBytes, 0);
  const queue = toRead.values();
  const worker = async () => {
    for (const { object, artifact, isCarried } of queue) {
      const fault = await checkBytes(context, isCarried ? undefined : manifest, object, (bytes) => {
        doneBytes += bytes;
        onProgress({ step: `checksum of ${artifact}`, doneBytes, totalBytes });
      });
      if (fault !== undefined) faults.push({ key: object.key, artifact, ...fault });
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, worker));
  return faults.sort((a, b) => (a.key < b.key ? -1 : 1));
}

type Fault = Pick<ObjectFault, "fault" | "detail">;

/**
 * The whole object is read; a wrong header says more than a wrong hash and is told first. What a tool has
 * carried has no header of ours, and no manifest is given for it.
 */
async function checkBytes(
  context: RepositoryContext,
  manifest: Manifest | undefined,
  object: StoredObject,
  onBytes: (count: number) => void,
): Promise<Fault | undefined> {
  const hash = createHash("sha256");
  const head: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of await context.stores.read.read(object.key)) {
      const bytes = chunk as Buffer;
      if (sizeBytes < headerLimitBytes) head.push(Buffer.from(bytes));
      sizeBytes += bytes.length;
      hash.update(bytes);
      onBytes(bytes.length);
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "object-missing") throw error;
    return { fault: "missing", detail: `${object.sizeBytes} bytes expected, nothing found` };
  }
  const found = hash.digest("hex");
  const headerFault =
    manifest === undefined ? undefined : checkHeader(context, manifest, object.key, Buffer.concat(head));
  if (headerFault !== undefined) return headerFault;
  if (sizeBytes !== object.sizeBytes)
    return { fault: "size", detail: `${object.sizeBytes} bytes expected, ${sizeBytes} read` };
  if (found !== object.sha256)
    return { fault: "checksum", detail: `${object.sha256} expected, ${found} found` };
  return undefined;
}

function checkHeader(
  context: RepositoryContext,
  manifest: Manifest,
  key: string,
  head: Buffer,
): Fault | undefined {
  let found: ReturnType<typeof readHeader>;
  try {
    found = readHeader(head);
  } catch (error) {
    return { fault: "envelope", detail: `a header expected, ${(error as Error).message}` };
  }
  if (found === undefined)
    return { fault: "envelope", detail: "a header expected, the object ends inside it" };
  const expected = contextOf(context, context.prefix, manifest.id, key);
  const { header } = found;
  const field = (["cluster", "policy", "point", "object"] as const).find(
    (f) => header.context[f] !== expected[f],
  );
  if (field === undefined) return undefined;
  return {
    fault: "context",
    detail: `${field} '${expected[field]}' expected, '${header.context[field]}' found`,
  };
}
