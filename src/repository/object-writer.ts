/** Encrypts a stream of plain (compressed) bytes into objects of about 1 GiB, each an envelope of its own. */
import { createHash } from "node:crypto";
import type { StoredObject } from "../catalogue/manifest.ts";
import type { DataKey } from "../crypto/data-key.ts";
import type { EnvelopeContext } from "../crypto/header.ts";
import { type Sealer, seal, sealedFrameBytes } from "../crypto/seal.ts";
import type { Codec } from "../policy/model.ts";
import type { Store, Upload } from "../store/store.ts";

export const objectPlainBytes = 1024 * 1024 * 1024;

export interface Written {
  readonly objects: readonly StoredObject[];
  readonly plainSha256: string;
  readonly plainSizeBytes: number;
}

export interface ObjectWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** The last object is complete afterwards. */
  end(): Promise<Written>;
  /** Aborts the open upload; keys of the objects already complete. */
  abort(): Promise<readonly string[]>;
}

interface OpenObject {
  readonly key: string;
  readonly upload: Upload;
  readonly sealer: Sealer;
  readonly hash: ReturnType<typeof createHash>;
  plainBytes: number;
  sizeBytes: number;
  /** The store takes one frame while the next one is sealed and hashed. */
  inFlight: Promise<void>;
}

/** @param dataKey is asked for when the first object begins */
export function openObjectWriter(
  store: Store,
  dataKey: () => Promise<DataKey>,
  codec: Codec,
  place: (index: number) => { readonly key: string; readonly context: EnvelopeContext },
  maxPlainBytes: number = objectPlainBytes,
): ObjectWriter {
  const objects: StoredObject[] = [];
  const plainHash = createHash("sha256");
  let plainSizeBytes = 0;
  let current: OpenObject | undefined;

  // One frame is on its way to the store while the other is sealed.
  const slots = [Buffer.allocUnsafeSlow(sealedFrameBytes), Buffer.allocUnsafeSlow(sealedFrameBytes)] as const;
  let turn: 0 | 1 = 0;
  const nextSlot = () => {
    turn = turn === 0 ? 1 : 0;
    return slots[turn];
  };

  const send = async (object: OpenObject, bytes: Iterable<Buffer>) => {
    for (const part of bytes) {
      object.hash.update(part);
      object.sizeBytes += part.length;
      await object.inFlight;
      object.inFlight = object.upload.write(part);
      // Looked at by the next one, or at the end.
      object.inFlight.catch(() => undefined);
    }
  };
  const begin = async (): Promise<OpenObject> => {
    const { key, context } = place(objects.length);
    const sealer = seal(await dataKey(), { context, codec }, nextSlot);
    const upload = store.upload(key, { ifAbsent: true });
    current = {
      key,
      upload,
      sealer,
      hash: createHash("sha256"),
      plainBytes: 0,
      sizeBytes: 0,
      inFlight: Promise.resolve(),
    };
    await send(current, [sealer.header()]);
    return current;
  };
  const finish = async (object: OpenObject) => {
    await send(object, object.sealer.end());
    await object.inFlight;
    await object.upload.complete();
    objects.push({ key: object.key, sizeBytes: object.sizeBytes, sha256: object.hash.digest("hex") });
    current = undefined;
  };

  return {
    write: async (chunk) => {
      plainHash.update(chunk);
      plainSizeBytes += chunk.length;
      for (let at = 0; at < chunk.length; ) {
        if (current !== undefined && current.plainBytes >= maxPlainBytes) await finish(current);
        const object = current ?? (await begin());
        const take = Math.min(chunk.length - at, maxPlainBytes - object.plainBytes);
        object.plainBytes += take;
        await send(object, object.sealer.push(chunk.subarray(at, at + take)));
        at += take;
      }
    },
    end: async () => {
      await finish(current ?? (await begin()));
      return { objects, plainSha256: plainHash.digest("hex"), plainSizeBytes };
    },
    abort: async () => {
      const open = current;
      current = undefined;
      // The one being completed may have become visible before its answer was lost.
      await open?.inFlight.catch(() => undefined);
      await open?.upload.abort().catch(() => undefined);
      return [...objects.map((o) => o.key), ...(open === undefined ? [] : [open.key])];
    },
  };
}
