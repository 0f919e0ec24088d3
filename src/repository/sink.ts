/** The sink of one attempt: tool and compressor are joined by a descriptor, only compressed bytes come here. */
import { open } from "node:fs/promises";
import type { ArtifactOutcome, ArtifactSink, Command, Progress } from "../catalogue/artifact.ts";
import { keys } from "../catalogue/keys.ts";
import type { Artifact, PointId } from "../catalogue/manifest.ts";
import { type DataKey, newDataKey } from "../crypto/data-key.ts";
import { releaseMemory } from "../crypto/seal.ts";
import { HoldfastError } from "../errors.ts";
import type { Pipe } from "../exec/exec.ts";
import type { Codec } from "../policy/model.ts";
import { compressor, isEmptyStream } from "./codec.ts";
import { contextOf, deletable, type RepositoryContext, writable } from "./context.ts";
import { openObjectWriter } from "./object-writer.ts";
import { carriedBytes, openPlaceReader, type PlaceReader } from "./place.ts";

const smallLimitBytes = 8 * 1024 * 1024;
const headBytes = 256;
const artifactName = /^[a-z0-9][a-z0-9._-]{0,99}$/i;

export interface DraftSink extends ArtifactSink {
  readonly artifacts: readonly Artifact[];
  /** Beginnings of the keys tools may have written to. */
  readonly places: readonly string[];
}

export interface DraftOptions {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Plain bytes of one object; the usual number when not given. */
  readonly objectBytes?: number;
  /** One that is being made already, for this draft alone. */
  readonly dataKey?: Promise<DataKey>;
}

/** The data key is made here and forgotten with the sink: nobody on this machine can read what it wrote. */
export async function openSink(
  context: RepositoryContext,
  id: PointId,
  runId: string,
  { onProgress = () => undefined, objectBytes, dataKey: expected }: DraftOptions,
): Promise<DraftSink> {
  // Made when it is asked for where nobody expected this draft.
  let made = expected;
  const dataKey = (): Promise<DataKey> => {
    made ??= newDataKey(context.recipients);
    return made;
  };
  const artifacts: Artifact[] = [];
  const places = new Map<string, { readonly prefix: string; readonly reader: PlaceReader }>();
  const { codec, level } = context.policy.capture;
  const storeStream = storing(context, dataKey, { id, runId, objectBytes }, onProgress);

  const demandFree = (name: string): void => {
    if (!artifactName.test(name) || artifacts.some((a) => a.name === name))
      throw new HoldfastError("usage", `'${name}' is no free artifact name`);
  };

  const placeOf = (name: string) => {
    const place = places.get(name);
    if (place === undefined) throw new HoldfastError("usage", `'${name}' was given no place`);
    return place;
  };

  const add = async (
    name: string,
    codecUsed: Codec,
    commands: readonly Command[],
    input?: number,
    mayBeEmpty = false,
  ): Promise<ArtifactOutcome> => {
    demandFree(name);
    const { deadlineMs } = context.policy;
    const start = () =>
      context.exec.pipe(commands as [Command, ...Command[]], {
        ...(deadlineMs > 0 ? { deadlineMs } : {}),
        ...(input === undefined ? {} : { input }),
      });
    const outcome = await storeStream(name, codecUsed, start, mayBeEmpty);
    artifacts.push(outcome.artifact);
    return outcome;
  };

  return {
    artifacts,
    get places() {
      return [...places.values()].map(({ prefix }) => prefix);
    },
    place: async (name) => {
      demandFree(name);
      const prefix = keys.place(context.prefix, id, runId, name);
      places.set(name, {
        prefix,
        reader: openPlaceReader(context.stores.read, context.clock, name, prefix, onProgress),
      });
      return writable(context.stores).place(prefix);
    },
    readAhead: async (name, signal) => placeOf(name).reader.follow(signal),
    fromPlace: async (name) => {
      demandFree(name);
      const artifact = await placeOf(name).reader.finish();
      artifacts.push(artifact);
      return { artifact, stderr: "" };
    },
    carriedBytes: async (name, path) => {
      const artifact = artifacts.find((a) => a.name === name && a.carried === true);
      if (artifact === undefined) throw new HoldfastError("usage", `no tool has carried artifact '${name}'`);
      return carriedBytes(context.stores.read, artifact, `${placeOf(name).prefix}${path}`);
    },
    fromCommand: async (name, command) => {
      const second = await compressor(context.exec, codec, level);
      return add(name, codec, second === undefined ? [command] : [command, second]);
    },
    fromFile: async (name, path, codecUsed = codec) => {
      const command = (await compressor(context.exec, codecUsed, level)) ?? { argv: ["cat"] };
      const file = await open(path, "r");
      try {
        return await add(name, codecUsed, [command], file.fd, true);
      } finally {
        await file.close();
      }
    },
    fromBytes: async (name, bytes) => {
      if (bytes.byteLength > smallLimitBytes) throw new HoldfastError("usage", `'${name}' is over 8 MiB`);
      demandFree(name);
      const outcome = await storeStream(name, "none", () => bytes, true);
      artifacts.push(outcome.artifact);
      return outcome;
    },
  };
}

/** Stores one stream as an artifact; when anything fails, everything of it is taken away again. */
function storing(
  context: RepositoryContext,
  dataKey: () => Promise<DataKey>,
  at: { readonly id: PointId; readonly runId: string; readonly objectBytes: number | undefined },
  onProgress: (progress: Progress) => void,
) {
  const store = writable(context.stores);
  return async (
    name: string,
    codec: Codec,
    start: () => Pipe | Uint8Array,
    mayBeEmpty: boolean,
  ): Promise<ArtifactOutcome> => {
    if (context.recipients.length === 0)
      throw new HoldfastError("key-missing", `there is no recipient to encrypt '${name}' for`);
    const writer = openObjectWriter(
      store,
      dataKey,
      codec,
      (index) => {
        const key = keys.object(context.prefix, at.id, at.runId, name, index);
        return { key, context: contextOf(context, context.prefix, at.id, key) };
      },
      at.objectBytes,
    );
    const started = start();
    const pipe = started instanceof Uint8Array ? undefined : started;
    const source = started instanceof Uint8Array ? [started] : (started.output ?? []);
    let doneBytes = 0;
    const head: Buffer[] = [];
    try {
      try {
        for await (const chunk of source as AsyncIterable<Buffer>) {
          if (doneBytes < headBytes) head.push(Buffer.from(chunk));
          doneBytes += chunk.length;
          await writer.write(chunk);
          if (pipe !== undefined) releaseMemory(chunk);
          onProgress({ step: name, doneBytes });
        }
      } catch (error) {
        await pipe?.stop();
        throw error;
      }
      // Only now is the end of the stream known to be its end, and not the end of a program that died.
      const stderr = (await pipe?.done)?.stderr ?? [];
      if (!mayBeEmpty && isEmptyStream(codec, Buffer.concat(head), doneBytes))
        throw new HoldfastError("empty-backup", `nothing came for artifact '${name}'`);
      const written = await writer.end();
      return { artifact: { name, codec, ...written }, stderr: stderr.join("").slice(-65_536) };
    } catch (error) {
      const left = await writer.abort();
      await deletable({ ...context.stores, delete: context.stores.delete ?? store })
        .remove(left)
        .catch((cause: unknown) =>
          context.log.warn("objects of a failed artifact stay until the sweep", {
            name,
            cause: String(cause),
          }),
        );
      throw error;
    }
  };
}
