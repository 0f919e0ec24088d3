/** What every part of a repository works with. */
import type { LogNames } from "../catalogue/catalogue.ts";
import type { KeyRing } from "../crypto/data-key.ts";
import type { EnvelopeContext } from "../crypto/header.ts";
import { HoldfastError } from "../errors.ts";
import type { Exec } from "../exec/exec.ts";
import type { Logger } from "../log.ts";
import type { Policy, StoreSettings } from "../policy/model.ts";
import type { StoreRole } from "../policy/store-credentials.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../time/clock.ts";

/** One store with the credentials of each role; a role that is missing has not been configured, or says why in `denied`. */
export interface StoreSet {
  readonly write?: Store;
  readonly read: Store;
  readonly verdict?: Store;
  readonly delete?: Store;
  /** Roles whose credentials are not here; thrown by what needs them. */
  readonly denied?: Partial<Readonly<Record<StoreRole, HoldfastError>>>;
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

/** @throws store-denied when the role has no credentials, key-missing when they are not here */
export function writable(stores: StoreSet): Store {
  return stores.write ?? refuse(stores, "write", "to write");
}

/** For verdicts alone. @throws as {@link writable} */
export function verdictStore(stores: StoreSet): Store {
  if (stores.verdict !== undefined) return stores.verdict;
  if (stores.denied?.verdict !== undefined) throw stores.denied.verdict;
  return writable(stores);
}

export function deletable(stores: StoreSet): Store {
  return stores.delete ?? refuse(stores, "delete", "to delete");
}

function refuse(stores: StoreSet, role: StoreRole, what: string): never {
  const message = `store '${stores.read.name}' has no credentials ${what}`;
  throw stores.denied?.[role] ?? new HoldfastError("store-denied", message);
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
