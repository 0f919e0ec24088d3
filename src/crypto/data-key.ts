/**
 * Data keys: random, one per recovery point or log session, wrapped by age for every recipient. Writing needs
 * recipients only, so the machine that writes cannot read.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Encrypter } from "age-encryption";
import { HoldfastError } from "../errors.ts";
import { recipientOf } from "./identity.ts";

export interface DataKey {
  /** 32 bytes. */
  readonly key: Buffer;
  /** The binary age file that holds `key`, in base64. */
  readonly wrapped: string;
  readonly recipients: readonly string[];
}

export interface KeyRing {
  /** @throws key-missing without any identity, key-wrong when none fits, data-damaged when it is no age file */
  unwrap(wrapped: string, recipients: readonly string[]): Promise<Buffer>;
  /**
   * Notes from now on which identities open what is read. The function it gives ends that and names the
   * recipients, `age1…`, whose identity alone has opened every data key since; none when no key was asked for.
   */
  watch(): () => readonly string[];
}

interface Opened {
  readonly key: Buffer;
  readonly openedBy: readonly string[];
}

/** @throws key-missing without recipients, key-wrong when one is no `age1…` */
export async function newDataKey(recipients: readonly string[]): Promise<DataKey> {
  if (recipients.length === 0) throw new HoldfastError("key-missing", "there is no recipient to encrypt for");
  // Loaded when used: its curves take a tenth of a second.
  const age = await import("age-encryption");
  const encrypter = new age.Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new HoldfastError("key-wrong", `'${recipient}' is no age recipient`, { cause });
    }
  }
  const key = randomBytes(32);
  return { key, wrapped: (await sealed(encrypter, key)).toString("base64"), recipients };
}

/**
 * The same from a thread of its own, beside whatever this one does: what age needs takes a tenth of a second to load,
 * and a pipe that nobody reads meanwhile stands still. @throws as {@link newDataKey}
 */
export async function newDataKeyBeside(recipients: readonly string[]): Promise<DataKey> {
  try {
    const path = new URL("./key-thread.mjs", import.meta.url);
    const thread = new Worker(path, { workerData: recipients, execArgv: [], stderr: true });
    const gone = once(thread, "exit").then(() => Promise.reject(new Error("the thread ended without a key")));
    const [made] = (await Promise.race([once(thread, "message"), gone])) as [DataKey];
    gone.catch(() => undefined);
    return { ...made, key: Buffer.from(made.key) };
  } catch {
    // No thread could be had, or the key is wrong, which is said best from here.
    return newDataKey(recipients);
  }
}

/**
 * The age file around `bytes`. It goes in and comes out as a stream: given bytes, the package collects the answer
 * with `Response`, and that loads the whole of Node's fetch, a tenth of what a start costs.
 */
async function sealed(encrypter: Encrypter, bytes: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of await encrypter.encrypt(ReadableStream.from([bytes]))) parts.push(part);
  return Buffer.concat(parts);
}

const cacheSize = 256;

/** Unwraps with whichever of `identities` fits; they are asked for when first needed. */
export function openKeyRing(identities: () => Promise<readonly string[]>): KeyRing {
  const cache = new Map<string, Promise<Opened>>();
  const watchers = new Set<(openedBy: readonly string[]) => void>();
  const open = (wrapped: string, recipients: readonly string[]): Promise<Opened> => {
    const id = createHash("sha256").update(wrapped).digest("base64");
    const known = cache.get(id);
    if (known !== undefined) return known;
    const opened = identities().then((list) => unwrapWith(list, wrapped, recipients));
    if (cache.size >= cacheSize) cache.delete(cache.keys().next().value!);
    cache.set(id, opened);
    // A missing identity may be there at the next try.
    opened.catch(() => cache.delete(id));
    return opened;
  };
  return {
    unwrap: async (wrapped, recipients) => {
      const { key, openedBy } = await open(wrapped, recipients);
      for (const note of watchers) note(openedBy);
      return key;
    },
    watch: () => {
      let openedAll: readonly string[] | undefined;
      const note = (openedBy: readonly string[]) => {
        openedAll = openedAll?.filter((r) => openedBy.includes(r)) ?? openedBy;
      };
      watchers.add(note);
      return () => {
        watchers.delete(note);
        return openedAll ?? [];
      };
    },
  };
}

async function unwrapWith(
  identities: readonly string[],
  wrapped: string,
  recipients: readonly string[],
): Promise<Opened> {
  const wanted = `this backup opens with an identity of ${recipients.join(" or ")}`;
  if (identities.length === 0) throw new HoldfastError("key-missing", `no identity was given; ${wanted}`);
  const { Decrypter } = await import("age-encryption");
  const mine = await Promise.all(identities.map(recipientOf));
  const openedBy: string[] = [];
  let key: Buffer | undefined;
  let cause: unknown;
  // Each by itself, so that it is known which of them would have been enough.
  for (const [index, identity] of identities.entries()) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    try {
      key = Buffer.from(await decrypter.decrypt(Buffer.from(wrapped, "base64")));
      openedBy.push(mine[index] ?? "");
    } catch (error) {
      cause = error;
    }
  }
  if (key === undefined) {
    // The header names a recipient of ours, and still it does not open: the wrapping itself is broken.
    if (recipients.some((r) => mine.includes(r)))
      throw new HoldfastError("data-damaged", "the wrapped data key is damaged", { cause });
    throw new HoldfastError("key-wrong", `none of ${identities.length} identities fits; ${wanted}`, {
      cause,
    });
  }
  if (key.length !== 32) throw new HoldfastError("data-damaged", "the wrapped data key has a wrong length");
  return { key, openedBy };
}
