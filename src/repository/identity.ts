/** The marker at the root of each prefix a policy writes to. Missing or foreign, it freezes every delete. */
import { randomUUID } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { instant } from "../catalogue/instant.ts";
import { keys } from "../catalogue/keys.ts";
import type { StoreIdentity } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { StoreFacts } from "../state/job.ts";
import type { Store } from "../store/store.ts";
import { type RepositoryContext, writable } from "./context.ts";
import { parseIdentity } from "./schema.ts";

interface Place {
  readonly store: Store;
  readonly prefix: string;
}

function places(context: RepositoryContext): readonly Place[] {
  const { log } = context.policy;
  const main = { store: context.stores.read, prefix: context.prefix };
  if (log === undefined || context.logStores === undefined) return [main];
  return [main, { store: context.logStores.read, prefix: log.store.prefix }];
}

async function readMarker({ store, prefix }: Place): Promise<StoreIdentity | undefined> {
  try {
    return parseIdentity((await store.get(keys.identity(prefix))).bytes);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "object-missing") return undefined;
    throw error;
  }
}

function isOurs(context: RepositoryContext, marker: StoreIdentity): boolean {
  return marker.cluster === context.cluster && marker.policy === context.policy.name;
}

/** Worst of the places a policy writes to. */
export async function storeFacts(context: RepositoryContext): Promise<StoreFacts> {
  const facts: StoreFacts[] = [];
  for (const place of places(context)) {
    const about = { policy: context.policy.name, store: place.store.name, prefix: place.prefix };
    try {
      const marker = await readMarker(place);
      if (marker === undefined) facts.push({ ...about, identity: "missing", detail: "no marker is there" });
      else if (isOurs(context, marker)) facts.push({ ...about, identity: "ours", detail: marker.id });
      else facts.push({ ...about, identity: "foreign", detail: owner(marker) });
    } catch (error) {
      const isForeign = error instanceof HoldfastError && error.code === "manifest-invalid";
      facts.push({
        ...about,
        identity: isForeign ? "foreign" : "unreachable",
        detail: (error as Error).message,
      });
    }
  }
  return { ...(facts.find((f) => f.identity !== "ours") ?? facts[0]!), ...(await lockFacts(context)) };
}

/** Of the store the points lie in; nothing where it does not answer, which the marker tells. */
async function lockFacts(
  context: RepositoryContext,
): Promise<Pick<StoreFacts, "lockDays" | "promisedLockDays">> {
  const { mode, days } = context.settings.objectLock ?? { mode: "none", days: 0 };
  if (mode === "none" || days === 0) return {};
  const found = await context.stores.read.objectLock().catch(() => undefined);
  const isWeaker = mode === "compliance" && found?.mode === "governance";
  return {
    promisedLockDays: days,
    // Whoever may lift a lock is not kept from anything by it.
    ...(found === undefined ? {} : { lockDays: isWeaker ? 0 : found.days }),
  };
}

function owner(marker: StoreIdentity): string {
  return `it belongs to policy '${marker.policy}' of cluster '${marker.cluster}'`;
}

/** Writes what is missing. @throws store-identity when a foreign one is there */
export async function writeMarkers(context: RepositoryContext): Promise<StoreIdentity> {
  const all: StoreIdentity[] = [];
  for (const [index, place] of places(context).entries()) {
    const found = (await readMarker(place)) ?? (await writeMarker(context, place, index > 0));
    if (!isOurs(context, found))
      throw new HoldfastError(
        "store-identity",
        `prefix '${place.prefix}' of '${place.store.name}': ${owner(found)}`,
      );
    all.push(found);
  }
  return all[0]!;
}

async function writeMarker(context: RepositoryContext, place: Place, isLog: boolean): Promise<StoreIdentity> {
  const marker: StoreIdentity = {
    apiVersion: "holdfast.dev/v1",
    kind: "StoreIdentity",
    cluster: context.cluster,
    store: place.store.name,
    policy: context.policy.name,
    id: randomUUID(),
    createdAt: instant(context.clock.nowMs()),
  };
  const store = writable(isLog ? (context.logStores ?? context.stores) : context.stores);
  try {
    await store.put(keys.identity(place.prefix), Buffer.from(canonicalJson(marker)), { ifAbsent: true });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "object-exists") throw error;
  }
  // Read back: another cluster may have been quicker, or the store may ignore conditions.
  return (await readMarker(place)) ?? marker;
}

/** @throws guard-refused unless every marker says the place is ours */
export async function demandOurs(context: RepositoryContext): Promise<void> {
  const facts = await storeFacts(context);
  if (facts.identity === "ours") return;
  throw new HoldfastError(
    "guard-refused",
    `nothing is deleted below '${facts.prefix}' of '${facts.store}': its marker is ${facts.identity} (${facts.detail})`,
  );
}
