/** Encrypts a stream into one envelope: a header, then frames of 256 KiB each with its own tag. */
import { createCipheriv, randomBytes } from "node:crypto";
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
  /** The frames that are full by now; the buffers belong to the caller. */
  push(chunk: Uint8Array): Buffer[];
  /** The last frame. Nothing may be pushed afterwards. */
  end(): Buffer[];
}

/** @see docs/format.md */
export function seal(
  dataKey: DataKey,
  about: { readonly context: EnvelopeContext; readonly codec: Codec; readonly contentSha256?: string },
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
  const plain = Buffer.allocUnsafeSlow(frameBytes);
  let filled = 0;
  let counter = 0;

  const frame = (isLast: boolean): Buffer => {
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(prefix, counter, isLast), {
      authTagLength: tagBytes,
    });
    counter += 1;
    const text = cipher.update(plain.subarray(0, filled));
    cipher.final();
    filled = 0;
    return Buffer.concat([text, cipher.getAuthTag()]);
  };

  return {
    header: () => headerBytes,
    push: (chunk) => {
      const out: Buffer[] = [];
      let at = 0;
      while (at < chunk.length) {
        // A full frame waits until something follows it: the last one has to be marked.
        if (filled === frameBytes) out.push(frame(false));
        const take = Math.min(frameBytes - filled, chunk.length - at);
        plain.set(chunk.subarray(at, at + take), filled);
        filled += take;
        at += take;
      }
      return out;
    },
    end: () => [frame(true)],
  };
}
