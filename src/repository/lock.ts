/** Leases on a name, kept as small objects. Two holders are impossible where the store honours conditions. */
import { randomUUID } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { instant } from "../catalogue/instant.ts";
import { keys } from "../catalogue/keys.ts";
import { HoldfastError } from "../errors.ts";
import { isProcessGone, processMark } from "../process-mark.ts";
import { type RepositoryContext, writable } from "./context.ts";
import type { Lease } from "./repository.ts";

export const leaseMs = 60_000;
const renewMs = 15_000;
/** Without conditional writes: long enough for a rival's write to be seen. */
const settleMs = 2_000;
/** Holders are processes: none of them outlives the machine, and a lock that cannot be read has expired. */
const fleeting = { transient: true } as const;

interface LockFile {
  readonly holder: string;
  readonly id: string;
  readonly acquiredAt: string;
  readonly expiresAt: string;
  /** Lets a process on the same machine take the lease of one that was killed without waiting for its end. */
  readonly process?: string;
}

/** @throws locked with the holder's name and age */
export async function takeLease(context: RepositoryContext, name: string, holder: string): Promise<Lease> {
  const store = writable(context.stores);
  const key = keys.lock(context.prefix, name);
  const abilities = await store.abilities();
  const id = randomUUID();
  const acquiredAt = instant(context.clock.nowMs());
  const process = await processMark();
  const file = (expiresAtMs = context.clock.nowMs() + leaseMs) =>
    Buffer.from(canonicalJson({ holder, id, acquiredAt, expiresAt: instant(expiresAtMs), process }));

  const found = await readLock(context, key);
  const isHeld = found !== undefined && Date.parse(found.lock.expiresAt) > context.clock.nowMs();
  if (isHeld && !(await isProcessGone(found.lock.process))) throw lockedBy(context, name, found.lock);
  let etag: string;
  let renewedAtMs = context.clock.nowMs();
  try {
    const condition = found === undefined ? { ifAbsent: true } : { ifMatch: found.etag };
    const allowed = found === undefined ? abilities.ifAbsent : abilities.ifMatch;
    etag = (await store.put(key, file(), { ...(allowed ? condition : {}), ...fleeting })).etag;
    if (!allowed) {
      await context.clock.wait(settleMs);
      const now = await readLock(context, key);
      if (now?.lock.id !== id) throw lockedBy(context, name, now?.lock);
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "object-exists") throw error;
    throw lockedBy(context, name, (await readLock(context, key))?.lock);
  }

  const lost = new AbortController();
  const stopped = new AbortController();
  const lose = (why: string) =>
    lost.abort(new HoldfastError("lock-lost", `the lease on '${name}' ran out: ${why}`));
  const renew = async () => {
    while (!stopped.signal.aborted && !lost.signal.aborted) {
      await context.clock.wait(renewMs, stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      try {
        const atMs = context.clock.nowMs();
        if (!abilities.ifMatch && (await readLock(context, key))?.lock.id !== id)
          return lose("somebody else has it");
        etag = (
          await store.put(key, file(), { ...(abilities.ifMatch ? { ifMatch: etag } : {}), ...fleeting })
        ).etag;
        renewedAtMs = atMs;
      } catch (error) {
        if (error instanceof HoldfastError && error.code === "object-exists") {
          // Our own write may have arrived while its answer was lost.
          const now = await readLock(context, key).catch(() => undefined);
          if (now?.lock.id !== id) return lose("somebody else has it");
          etag = now.etag;
        }
      }
    }
  };
  // A renewal that hangs must not keep the holder writing: the deadline is watched on its own.
  const watch = async () => {
    while (!stopped.signal.aborted && !lost.signal.aborted) {
      await context.clock.wait(1_000, stopped.signal).catch(() => undefined);
      if (!stopped.signal.aborted && context.clock.nowMs() - renewedAtMs >= leaseMs - renewMs)
        lose("it could not be renewed in time");
    }
  };
  const renewing = renew();
  void watch();
  return {
    name,
    signal: lost.signal,
    release: async () => {
      if (stopped.signal.aborted) return;
      stopped.abort();
      await Promise.race([renewing, context.clock.wait(5_000)]);
      const now = await readLock(context, key).catch(() => undefined);
      if (now?.lock.id !== id) return;
      try {
        // Given up and not deleted: the writer may have no right to delete, and where versions are kept a server
        // may take the mark of a deletion for the object itself (versitygw 1.8 does).
        await store.put(key, file(0), { ...(abilities.ifMatch ? { ifMatch: now.etag } : {}), ...fleeting });
      } catch (error) {
        context.log.warn("a lock stays until its lease ends", { name, cause: String(error) });
      }
    },
  };
}

async function readLock(context: RepositoryContext, key: string) {
  try {
    const { bytes, info } = await context.stores.read.get(key);
    return { lock: parseLock(bytes), etag: info.etag };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "object-missing") return undefined;
    throw error;
  }
}

/** A lock nobody can read has expired: it names nobody who could be waited for. */
function parseLock(bytes: Uint8Array): LockFile {
  const nobody = { holder: "nobody", id: "", acquiredAt: instant(0), expiresAt: instant(0) };
  try {
    const lock = JSON.parse(Buffer.from(bytes).toString("utf8")) as LockFile;
    return typeof lock?.id === "string" && !Number.isNaN(Date.parse(lock.expiresAt)) ? lock : nobody;
  } catch {
    return nobody;
  }
}

function lockedBy(context: RepositoryContext, name: string, lock: LockFile | undefined): HoldfastError {
  const seconds =
    lock === undefined ? 0 : Math.round((context.clock.nowMs() - Date.parse(lock.acquiredAt)) / 1000);
  const who = lock === undefined ? "another run" : `'${lock.holder}', for ${seconds} s`;
  return new HoldfastError("locked", `'${name}' of policy '${context.policy.name}' is held by ${who}`);
}
