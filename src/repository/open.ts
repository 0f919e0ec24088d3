/** Opens one policy's part of a store. Nothing is contacted before a method is called. */

import { canonicalJson } from "../canonical-json.ts";
import { compactInstant } from "../catalogue/instant.ts";
import { keys } from "../catalogue/keys.ts";
import { type DataKey, newDataKeyBeside, openKeyRing } from "../crypto/data-key.ts";
import { openCatalogueReader } from "./catalogue.ts";
import {
  deletable,
  type RepositoryContext,
  type RepositoryInput,
  verdictStore,
  writable,
} from "./context.ts";
import { openDraft } from "./draft.ts";
import { storeFacts, writeMarkers } from "./identity.ts";
import { takeLease } from "./lock.ts";
import { openLogStore } from "./log.ts";
import { removeLog, removePoint, sweep } from "./remove.ts";
import type { Repository } from "./repository.ts";
import { openSource } from "./source.ts";
import { verifyObjects } from "./verify.ts";

export type { RepositoryInput, StoreSet } from "./context.ts";

/**
 * @param input `recipients` are `age1…`; `identities` is asked only when something has to be read
 * @see docs/format.md
 */
export async function openRepository(input: RepositoryInput): Promise<Repository> {
  const { prefix } = input.policy.store;
  const context: RepositoryContext = { ...input, prefix, ring: openKeyRing(input.identities) };
  const log = openLogStore(context);
  const reader = openCatalogueReader(context);
  const put = async (key: string, value: object, store = writable(input.stores)) => {
    await store.put(key, Buffer.from(canonicalJson(value)));
  };
  const remover = () => {
    const { delete: own, write, denied } = input.stores;
    const found = denied?.delete === undefined ? (own ?? write) : undefined;
    return deletable({ ...input.stores, ...(found === undefined ? {} : { delete: found }) });
  };

  let expectedKey: Promise<DataKey> | undefined;
  return {
    policy: input.policy.name,
    identity: () => storeFacts(context),
    mark: () => writeMarkers(context),
    expectDraft: () => {
      expectedKey ??= newDataKeyBeside(input.recipients);
      // Looked at by whoever asks for it.
      expectedKey.catch(() => undefined);
    },
    draft: (id, revision, onProgress) => {
      const dataKey = expectedKey;
      // One key, one point.
      expectedKey = undefined;
      return openDraft(context, id, revision, { onProgress, ...(dataKey === undefined ? {} : { dataKey }) });
    },
    source: (manifest) => openSource(context, manifest),
    catalogue: () => reader.read(input.policy.log === undefined ? undefined : log.archive),
    log,
    addVerdict: async (verdict) =>
      put(
        keys.verdict(prefix, verdict.point, compactInstant(Date.parse(verdict.at))),
        verdict,
        verdictStore(input.stores),
      ),
    demandVerdicts: () => void verdictStore(input.stores),
    addKeyProof: async (proof) =>
      put(keys.keyProof(prefix, proof.recipient), proof, verdictStore(input.stores)),
    watchKeys: () => context.ring.watch(),
    addHold: (hold) => put(keys.hold(prefix, hold.point), hold),
    removeHold: (id) => remover().remove([keys.hold(prefix, id)]),
    addTombstone: (tombstone) => put(keys.tombstone(prefix, tombstone.point), tombstone),
    removeTombstone: (id) => remover().remove([keys.tombstone(prefix, id)]),
    removePoint: async (id, nowMs) => {
      const removed = await removePoint(context, id, nowMs);
      reader.forget(keys.manifest(prefix, id));
      return removed;
    },
    removeLog: (logKeys) => removeLog(context, logKeys),
    sweep: (nowMs, olderThanMs, remove) => sweep(context, nowMs, olderThanMs, remove),
    verifyObjects: (manifest, depth, onProgress) => verifyObjects(context, manifest, depth, onProgress),
    lock: (name, holder) => takeLease(context, name, holder),
    missingCredentials: () =>
      [input.stores, ...(input.logStores === undefined ? [] : [input.logStores])].flatMap((stores) =>
        Object.values(stores.denied ?? {}),
      ),
    close: async () => undefined,
  };
}
