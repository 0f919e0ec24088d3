/** Encrypts a stream into one envelope: a header, then frames of 256 KiB each with its own tag. */
import { createCipheriv, createSecretKey, randomBytes } from "node:crypto";
import type { Codec } from "../policy/model.ts";
import type { DataKey } from "./data-key.ts";
import {
  commitmentOf,
  type EnvelopeContext,
  type EnvelopeHeader,
  frameBytes,
  frameSecrets,
  magic,
  nonceOf,
  suite,
  tagBytes,
} from "./header.ts";

export interface Sealer {
  /** To be written first. */
  header(): Buffer;
  /** The frames that are full by now, each sealed when it is asked for. */
  push(chunk: Uint8Array): Iterable<Buffer>;
  /** The last frame. Nothing may be pushed afterwards. */
  end(): Buffer[];
}

/** A frame and its tag. */
export const sealedFrameBytes = frameBytes + tagBytes;

/**
 * What the cipher is given at once. It answers in new memory, and from 128 KiB on the C library gets that from the
 * kernel page by page and gives it back each time, which costs four times as much as the cipher itself.
 */
const cipherStepBytes = 64 * 1024;

/**
 * @param frameBuffer memory of `sealedFrameBytes` for the next frame; a new buffer for each when not given
 * @see docs/format.md
 */
export function seal(
  dataKey: DataKey,
  about: { readonly context: EnvelopeContext; readonly codec: Codec; readonly contentSha256?: string },
  frameBuffer: () => Buffer = () => Buffer.allocUnsafeSlow(sealedFrameBytes),
): Sealer {
  const salt = randomBytes(32);
  const header: EnvelopeHeader = {
    suite,
    frameBytes,
    salt: salt.toString("base64"),
    wrappedKey: dataKey.wrapped,
    recipients: dataKey.recipients,
    context: about.context,
    codec: about.codec,
    ...(about.contentSha256 === undefined ? {} : { contentSha256: about.contentSha256 }),
    commitment: commitmentOf(dataKey.key, salt),
  };
  const headerBytes = Buffer.from(`${magic}${JSON.stringify(header)}\n`);
  const { key, prefix } = frameSecrets(dataKey.key, salt, headerBytes);
  // Made once: given the bytes, each cipher would make it again.
  const cipherKey = createSecretKey(key);
  const plain = Buffer.allocUnsafeSlow(frameBytes);
  let filled = 0;
  let counter = 0;

  const frame = (isLast: boolean): Buffer => {
    const cipher = createCipheriv("aes-256-gcm", cipherKey, nonceOf(prefix, counter, isLast), {
      authTagLength: tagBytes,
    });
    counter += 1;
    const sealed = frameBuffer();
    for (let at = 0; at < filled; at += cipherStepBytes) {
      const text = cipher.update(plain.subarray(at, Math.min(at + cipherStepBytes, filled)));
      sealed.set(text, at);
      releaseMemory(text);
    }
    cipher.final();
    sealed.set(cipher.getAuthTag(), filled);
    const frameEnd = filled + tagBytes;
    filled = 0;
    return sealed.subarray(0, frameEnd);
  };

  return {
    header: () => headerBytes,
    *push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        // A full frame waits until something follows it: the last one has to be marked.
        if (filled === frameBytes) yield frame(false);
        const take = Math.min(frameBytes - filled, chunk.length - at);
        plain.set(chunk.subarray(at, at + take), filled);
        filled += take;
        at += take;
      }
    },
    end: () => [frame(true)],
  };
}

/**
 * The memory of `bytes` is free at once, and not when the collector comes round: at hundreds of megabytes a
 * second that is the difference between flat memory and a hundred megabytes of dead buffers. Memory that is
 * shared with others is left alone. Nobody may look at `bytes` afterwards.
 */
export function releaseMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}
