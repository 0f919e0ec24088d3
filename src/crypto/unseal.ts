/** Decrypts one envelope as it streams in. No byte is given out before the tag of its frame is right. */
import { createDecipheriv, timingSafeEqual } from "node:crypto";
import type { KeyRing } from "./data-key.ts";
import {
  commitmentOf,
  damaged,
  type EnvelopeContext,
  type EnvelopeHeader,
  frameBytes,
  frameSecrets,
  nonceOf,
  readHeader,
  tagBytes,
} from "./header.ts";

const sealedBytes = frameBytes + tagBytes;

/**
 * The plain bytes of the envelope in `source`.
 * @throws data-damaged for bytes that were changed, cut, added or moved, or an object of another place;
 *   key-missing, key-wrong
 */
export async function* unseal(
  source: AsyncIterable<Uint8Array>,
  ring: KeyRing,
  expected: EnvelopeContext,
  onHeader?: (header: EnvelopeHeader) => void,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let frames: Frames | undefined;
  for await (const chunk of source) {
    held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    heldBytes += chunk.byteLength;
    if (frames === undefined) {
      const bytes = Buffer.concat(held);
      const read = readHeader(bytes);
      held = [bytes];
      if (read === undefined) continue;
      frames = await openFrames(read.header, bytes.subarray(0, read.lengthBytes), ring, expected);
      onHeader?.(read.header);
      held = [bytes.subarray(read.lengthBytes)];
      heldBytes = held[0]!.length;
    }
    // Strictly more than one frame: the last one can only be told at the end.
    if (heldBytes <= sealedBytes) continue;
    const bytes = Buffer.concat(held);
    let at = 0;
    for (; bytes.length - at > sealedBytes; at += sealedBytes)
      yield frames.next(bytes.subarray(at, at + sealedBytes), false);
    held = [bytes.subarray(at)];
    heldBytes = held[0]!.length;
  }
  if (frames === undefined) throw damaged("it ends inside its header");
  yield frames.next(Buffer.concat(held), true);
}

interface Frames {
  next(sealed: Buffer, isLast: boolean): Buffer;
}

async function openFrames(
  header: EnvelopeHeader,
  headerBytes: Buffer,
  ring: KeyRing,
  expected: EnvelopeContext,
): Promise<Frames> {
  const found = header.context;
  const differing = (["cluster", "policy", "point", "object"] as const).find((f) => found[f] !== expected[f]);
  if (differing !== undefined)
    throw damaged(
      `its context is another one's: ${differing} '${found[differing]}' found, '${expected[differing]}' expected`,
    );
  const dataKey = await ring.unwrap(header.wrappedKey, header.recipients);
  const salt = Buffer.from(header.salt, "base64");
  const commitment = Buffer.from(commitmentOf(dataKey, salt));
  const claimed = Buffer.from(header.commitment);
  if (claimed.length !== commitment.length || !timingSafeEqual(claimed, commitment))
    throw damaged("its header and its data key do not belong together");
  const { key, prefix } = frameSecrets(dataKey, salt, headerBytes);
  let counter = 0;
  return {
    next: (sealed, isLast) => {
      if (sealed.length < tagBytes) throw damaged(`it is cut inside frame ${counter}`);
      const cut = sealed.length - tagBytes;
      const nonce = nonceOf(prefix, counter, isLast);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      decipher.setAuthTag(sealed.subarray(cut));
      const plain = decipher.update(sealed.subarray(0, cut));
      try {
        decipher.final();
      } catch (cause) {
        throw damaged(`the tag of frame ${counter} is wrong: its bytes were changed, cut or moved`, cause);
      }
      counter += 1;
      return plain;
    },
  };
}
