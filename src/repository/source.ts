/** Reads artifacts back: every stored byte hashed, every frame's tag checked, then decompressed by a program. */
import { createHash, randomUUID } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import type { ArtifactSource, Command } from "../catalogue/artifact.ts";
import { keys } from "../catalogue/keys.ts";
import type { Artifact, Manifest, StoredObject } from "../catalogue/manifest.ts";
import { unseal } from "../crypto/unseal.ts";
import { HoldfastError } from "../errors.ts";
import { decodeSmall, decompressor } from "./codec.ts";
import { contextOf, type RepositoryContext } from "./context.ts";
import { carriedBytes } from "./place.ts";

const smallLimitBytes = 8 * 1024 * 1024;

export function openSource(context: RepositoryContext, manifest: Manifest): ArtifactSource {
  const plain = (artifact: Artifact) => readArtifact(context, manifest, ours(artifact));

  const pour = async (artifact: Artifact, last: Command | undefined, outputDescriptor?: number) => {
    const first = await decompressor(context.exec, artifact.codec);
    const commands = [first, last].filter((c) => c !== undefined);
    if (commands.length === 0) commands.push({ argv: ["cat"] });
    const input = Readable.from(plain(artifact), { objectMode: false, highWaterMark: 1024 * 1024 });
    const pipe = context.exec.pipe(commands as [Command, ...Command[]], {
      input,
      ...(outputDescriptor === undefined ? {} : { outputDescriptor }),
    });
    pipe.output?.resume();
    return (await pipe.done).stderr.join("").slice(-65_536);
  };

  const ours = (artifact: Artifact): Artifact => {
    if (artifact.carried !== true) return artifact;
    throw new HoldfastError("usage", `artifact '${artifact.name}' lies in the store as its tool wrote it`);
  };

  return {
    place: async (artifact) => context.stores.read.place(placeOf(context, manifest, artifact)),
    carriedBytes: (artifact, path) =>
      carriedBytes(context.stores.read, artifact, `${placeOf(context, manifest, artifact)}${path}`),
    intoCommand: async (artifact, command) => ({ stderr: await pour(artifact, command) }),
    intoFile: (artifact, path) =>
      wholeFile(path, async (descriptor) => {
        await pour(artifact, undefined, descriptor);
      }),
    bytes: async (artifact) => {
      if (artifact.plainSizeBytes > smallLimitBytes)
        throw new HoldfastError("usage", `artifact '${artifact.name}' is over 8 MiB`);
      const parts: Buffer[] = [];
      for await (const chunk of plain(artifact)) parts.push(chunk);
      return decodeSmall(artifact.codec, Buffer.concat(parts), smallLimitBytes);
    },
  };
}

function placeOf(context: RepositoryContext, manifest: Manifest, artifact: Artifact): string {
  if (artifact.carried !== true)
    throw new HoldfastError("usage", `no tool has carried artifact '${artifact.name}'`);
  return keys.place(context.prefix, manifest.id, manifest.runId, artifact.name);
}

/** `path` appears with all that `fill` wrote to the descriptor, synced, or not at all. @throws target-not-empty */
export async function wholeFile(path: string, fill: (descriptor: number) => Promise<void>): Promise<void> {
  const draft = `${path}.${randomUUID()}.part`;
  const file = await open(draft, "wx", 0o600);
  try {
    await fill(file.fd);
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new HoldfastError("target-not-empty", `the file '${path}' is there already`, { cause: error });
  } finally {
    await file.close();
    await rm(draft, { force: true });
  }
}

/** The plain (compressed) bytes of an artifact; ends well only when every hash and size was right. */
export async function* readArtifact(
  context: RepositoryContext,
  manifest: Manifest,
  artifact: Artifact,
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for (const object of artifact.objects) {
    const place = contextOf(context, context.prefix, manifest.id, object.key);
    try {
      for await (const plain of unseal(hashed(context, object), context.ring, place)) {
        hash.update(plain);
        sizeBytes += plain.length;
        yield plain;
      }
    } catch (error) {
      throw named(object.key, error);
    }
  }
  if (sizeBytes !== artifact.plainSizeBytes || hash.digest("hex") !== artifact.plainSha256)
    throw new HoldfastError(
      "data-damaged",
      `artifact '${artifact.name}' of '${manifest.id}' is not what was stored: its hash differs`,
    );
}

/** The bytes as they are stored, failing at the end when they are not those of the manifest. */
async function* hashed(context: RepositoryContext, object: StoredObject): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of await context.stores.read.read(object.key)) {
    hash.update(chunk as Buffer);
    sizeBytes += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (sizeBytes !== object.sizeBytes)
    throw new HoldfastError("data-damaged", `it has ${sizeBytes} bytes instead of ${object.sizeBytes}`);
  if (hash.digest("hex") !== object.sha256)
    throw new HoldfastError("data-damaged", "its hash is not the one in the manifest");
}

/** Errors of the envelope do not know which object they are about. */
export function named(key: string, error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.message.includes(`'${key}'`)) return error;
  if (error.code !== "data-damaged" && error.code !== "key-wrong") return error;
  return new HoldfastError(error.code, `object '${key}': ${error.message}`, {
    hint: error.hint,
    cause: error,
  });
}
