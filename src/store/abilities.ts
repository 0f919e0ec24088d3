/** Finds out by trying whether a store refuses conditional writes that must fail. */
import { randomUUID } from "node:crypto";
import { HoldfastError } from "../errors.ts";
import type { PutOptions, Store } from "./store.ts";

export const probePrefix = ".holdfast-probe/";

/** True when the write was refused; false when the server did not care or does not know the condition. */
async function refused(store: Pick<Store, "put">, key: string, options: PutOptions): Promise<boolean> {
  try {
    await store.put(key, Buffer.from("must not be written"), { ...options, transient: true });
    return false;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "object-exists") return true;
    if (error instanceof HoldfastError && error.code === "store-failed") return false;
    throw error;
  }
}

/**
 * Writes a scratch object, tries to overwrite it under conditions that do not hold, and removes it. An
 * honoured condition must also let a write through when it does hold.
 */
export async function probeConditions(
  store: Pick<Store, "put" | "remove">,
): Promise<{ readonly ifAbsent: boolean; readonly ifMatch: boolean }> {
  const key = `${probePrefix}${randomUUID()}`;
  try {
    const first = await store
      .put(key, Buffer.from("one"), { ifAbsent: true, transient: true })
      .catch((error: unknown) => {
        // A server that knows no conditions may refuse the header itself.
        if (error instanceof HoldfastError && error.code === "store-failed") return undefined;
        throw error;
      });
    if (first === undefined) return { ifAbsent: false, ifMatch: false };
    const ifAbsent = await refused(store, key, { ifAbsent: true });
    const second = await store.put(key, Buffer.from("two"), { transient: true });
    const stale = await refused(store, key, { ifMatch: first.etag });
    const ifMatch = stale && !(await refused(store, key, { ifMatch: second.etag }));
    return { ifAbsent, ifMatch };
  } finally {
    await store.remove([key]);
  }
}
