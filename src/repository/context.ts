/** What every part of a repository works with. */
import type { LogNames } from "../catalogue/catalogue.ts";
import type { KeyRing } from "../crypto/data-key.ts";
import type { EnvelopeContext } from "../crypto/header.ts";
import { HoldfastError } from "../errors.ts";
import type { Exec } from "../exec/exec.ts";
import type { Logger } from "../log.ts";
import type { Policy, StoreSettings } from "../policy/model.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../time/clock.ts";

/** One store with the credentials of each role; a role that is missing has not been configured. */
export interface StoreSet {
  readonly write?: Store;
  readonly read: Store;
  readonly delete?: Store;
}

export interface RepositoryInput {
  readonly policy: Policy;
  readonly cluster: string;
  readonly settings: StoreSettings;
  readonly stores: StoreSet;
  /** Same for `policy.log.store`; the main ones when not given. */
  readonly logStores?: StoreSet;
  readonly logNames?: LogNames;
  /** `age1…` */
  readonly recipients: readonly string[];
  readonly identities: () => Promise<readonly string[]>;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cacheDirectory?: string;
}

export interface RepositoryContext extends RepositoryInput {
  readonly prefix: string;
  readonly ring: KeyRing;
}

/** @throws store-denied when the role has no credentials */
export function writable(stores: StoreSet): Store {
  if (stores.write !== undefined) return stores.write;
  throw new HoldfastError("store-denied", `store '${stores.read.name}' has no credentials to write`);
}

export function deletable(stores: StoreSet): Store {
  if (stores.delete !== undefined) return stores.delete;
  throw new HoldfastError("store-denied", `store '${stores.read.name}' has no credentials to delete`);
}

/** The context of the object at `key`, which lies below `prefix`. */
export function contextOf(
  input: RepositoryInput,
  prefix: string,
  point: string,
  key: string,
): EnvelopeContext {
  return { cluster: input.cluster, policy: input.policy.name, point, object: key.slice(prefix.length) };
}
