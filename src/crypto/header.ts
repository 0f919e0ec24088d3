/** The two text lines in front of every stored object's frames. `docs/format.md` describes them byte by byte. */
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { HoldfastError } from "../errors.ts";
import type { Codec } from "../policy/model.ts";

export const magic = "HOLDFAST-ENVELOPE/1\n";
export const suite = "AES-256-GCM";
export const frameBytes = 262_144;
export const tagBytes = 16;
export const headerLimitBytes = 65_536;

/** Where an object belongs; one found elsewhere does not open. `object` is the key below the policy's prefix. */
export interface EnvelopeContext {
  readonly cluster: string;
  readonly policy: string;
  readonly point: string;
  readonly object: string;
}

export interface EnvelopeHeader {
  readonly suite: typeof suite;
  readonly frameBytes: number;
  /** Base64, 32 bytes. */
  readonly salt: string;
  /** Base64 of an age file. */
  readonly wrappedKey: string;
  readonly recipients: readonly string[];
  readonly context: EnvelopeContext;
  readonly codec: Codec;
  /** SHA-256 of the decoded file, where it was known before writing. */
  readonly contentSha256?: string;
  /** Hex; proves that a data key is the one meant before any frame is tried. */
  readonly commitment: string;
}

export function commitmentOf(dataKey: Buffer, salt: Buffer): string {
  return createHmac("sha256", dataKey).update("holdfast/1 commitment").update(salt).digest("hex");
}

/** Key and nonce prefix of one object; the whole header is part of their derivation. */
export function frameSecrets(dataKey: Buffer, salt: Buffer, headerBytes: Buffer) {
  const hash = createHash("sha256").update(headerBytes).digest();
  const info = Buffer.concat([Buffer.from("holdfast/1 frames"), hash]);
  const secrets = Buffer.from(hkdfSync("sha256", dataKey, salt, info, 39));
  return { key: secrets.subarray(0, 32), prefix: secrets.subarray(32) };
}

/** Prefix, big-endian counter, and 1 for the last frame: what stops reordering and truncation. */
export function nonceOf(prefix: Buffer, counter: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  prefix.copy(nonce);
  nonce.writeUInt32BE(counter, 7);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/**
 * The header at the beginning of `bytes` and how long it is; undefined when more bytes are needed.
 * @throws data-damaged when no such header can begin like this
 */
export function readHeader(
  bytes: Buffer,
): { readonly header: EnvelopeHeader; readonly lengthBytes: number } | undefined {
  const beginning = bytes.subarray(0, magic.length).toString("latin1");
  if (!magic.startsWith(beginning)) throw damaged("it does not begin as an envelope");
  if (bytes.length < magic.length) return undefined;
  const end = bytes.indexOf(10, magic.length);
  if (end > headerLimitBytes || (end < 0 && bytes.length > headerLimitBytes))
    throw damaged("its header has no end");
  if (end < 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.subarray(magic.length, end).toString("utf8"));
  } catch {
    throw damaged("its header is no JSON");
  }
  return { header: checkHeader(value), lengthBytes: end + 1 };
}

function checkHeader(value: unknown): EnvelopeHeader {
  const h = value as Partial<Record<keyof EnvelopeHeader, unknown>> | null;
  const context = h?.context as Partial<Record<keyof EnvelopeContext, unknown>> | null | undefined;
  const isText = (v: unknown): v is string => typeof v === "string";
  const good =
    h?.suite === suite &&
    h.frameBytes === frameBytes &&
    isText(h.salt) &&
    Buffer.from(h.salt, "base64").length === 32 &&
    isText(h.wrappedKey) &&
    isText(h.commitment) &&
    ["none", "gzip", "zstd"].includes(h.codec as string) &&
    (h.contentSha256 === undefined || isText(h.contentSha256)) &&
    Array.isArray(h.recipients) &&
    h.recipients.every(isText) &&
    [context?.cluster, context?.policy, context?.point, context?.object].every(isText);
  if (!good) throw damaged("its header has a field that is missing or wrong");
  return value as EnvelopeHeader;
}

export function damaged(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError("data-damaged", what, cause === undefined ? {} : { cause });
}
