/** Everything that deletes. Each guard is looked at right here, against the store as it is now. */
import { type Instant, instant } from "../catalogue/instant.ts";
import { keys } from "../catalogue/keys.ts";
import type { Manifest, PointId } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { sha256 } from "./canonical.ts";
import { deletable, type RepositoryContext } from "./context.ts";
import { demandOurs } from "./identity.ts";
import { parseHold, parseManifest, parseTombstone } from "./schema.ts";

function refuse(id: string, why: string): never {
  throw new HoldfastError("guard-refused", `'${id}' is not deleted: ${why}`);
}

async function getOr(store: Store, key: string): Promise<Uint8Array | undefined> {
  try {
    return (await store.get(key)).bytes;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "object-missing") return undefined;
    throw error;
  }
}

async function listKeys(store: Store, prefix: string) {
  const found = [];
  for await (const info of store.list(prefix)) found.push(info);
  return found;
}

/** @throws guard-refused */
export async function removePoint(
  context: RepositoryContext,
  id: PointId,
  nowMs: number,
): Promise<{ removedBytes: number }> {
  const { prefix } = context;
  const { read } = context.stores;
  const remover = deletable(context.stores);
  await demandOurs(context);
  const tombstoneBytes = await getOr(read, keys.tombstone(prefix, id));
  if (tombstoneBytes === undefined) return refuse(id, "it has no tombstone");
  const tombstone = parseTombstone(tombstoneBytes);
  if (tombstone.point !== id || tombstone.policy !== context.policy.name)
    return refuse(id, "its tombstone is another point's");
  if (!(Date.parse(tombstone.notBefore) <= nowMs))
    return refuse(id, `its grace lasts until ${tombstone.notBefore}`);
  const hold = await getOr(read, keys.hold(prefix, id));
  if (hold !== undefined) {
    const { until, by } = parseHold(hold);
    if (until === null || Date.parse(until) > nowMs)
      return refuse(id, `'${by}' holds it until ${until ?? "for ever"}`);
  }
  const manifestKey = keys.manifest(prefix, id);
  const bytes = await getOr(read, manifestKey);
  if (bytes !== undefined) {
    if (sha256(bytes) !== tombstone.manifestSha256)
      return refuse(id, "its manifest is not the one that was tombstoned");
    const place = { policy: context.policy.name, cluster: context.cluster, id, prefix };
    const manifest = parseManifest(bytes, place);
    const lockedUntil = await lockOf(context, manifest, manifestKey);
    if (lockedUntil !== undefined && Date.parse(lockedUntil) > nowMs)
      return refuse(id, `the store locks it until ${lockedUntil}`);
    await remover.remove([manifestKey]);
  }
  // Other attempts at this slot, if any, are left-overs and go with it.
  const data = await listKeys(read, `${keys.data(prefix)}${id}/`);
  await remover.remove(data.map((o) => o.key));
  const verdicts = await listKeys(read, `${keys.verdicts(prefix)}${id}/`);
  await remover.remove(verdicts.map((o) => o.key));
  const left = await listKeys(read, `${keys.data(prefix)}${id}/`);
  if (left.length > 0)
    throw new HoldfastError(
      "store-failed",
      `${left.length} objects of '${id}' are still listed after their removal`,
    );
  if (hold !== undefined) await remover.remove([keys.hold(prefix, id)]);
  await remover.remove([keys.tombstone(prefix, id)]);
  return { removedBytes: data.reduce((sum, o) => sum + o.sizeBytes, 0) };
}

async function lockOf(
  context: RepositoryContext,
  manifest: Manifest,
  key: string,
): Promise<Instant | undefined> {
  const places = [key, ...manifest.artifacts.flatMap((a) => a.objects.slice(0, 1).map((o) => o.key))];
  const locks = await Promise.all(places.map((place) => context.stores.read.lockedUntil(place)));
  return locks
    .filter((l) => l !== undefined)
    .sort()
    .at(-1);
}

/** @throws guard-refused for a key outside the log, a history file, or a place that is not ours */
export async function removeLog(context: RepositoryContext, logKeys: readonly string[]): Promise<void> {
  const stores = context.logStores ?? context.stores;
  const place = keys.log(context.policy.log?.store.prefix ?? context.prefix);
  const wrong = logKeys.find((key) => !key.startsWith(place) || key.endsWith(".history"));
  if (wrong !== undefined) return refuse(wrong, "it is no segment of this policy's log");
  await demandOurs(context);
  await deletable(stores).remove(logKeys);
}

/** @see Repository.sweep */
export async function sweep(context: RepositoryContext, nowMs: number, olderThanMs: number, remove: boolean) {
  const { prefix } = context;
  const { read } = context.stores;
  if (remove) await demandOurs(context);
  const isOld = (at: Instant) => nowMs - Date.parse(at) > olderThanMs;
  // Data first: what is committed between the two listings is then in the second one.
  const data = (await listKeys(read, keys.data(prefix))).filter((o) => isOld(o.modifiedAt));
  const owned = new Set<string>();
  const kept = new Set<string>();
  const listed = new Set<string>();
  for (const { key } of await listKeys(read, keys.manifests(prefix))) {
    const id = key.slice(keys.manifests(prefix).length).replace(/\.json$/, "");
    listed.add(id);
    const bytes = await getOr(read, key);
    try {
      if (bytes === undefined) throw new Error("removed meanwhile");
      const manifest = parseManifest(bytes, {
        policy: context.policy.name,
        cluster: context.cluster,
        id,
        prefix,
      });
      for (const { objects } of manifest.artifacts) for (const object of objects) owned.add(object.key);
    } catch {
      // Nobody knows what an unreadable manifest names, so all that lies under its id stays.
      kept.add(id);
    }
  }
  const idOf = (key: string): string => key.slice(keys.data(prefix).length).split("/")[0] ?? "";
  const unowned = data.filter(({ key }) => !owned.has(key) && !kept.has(idOf(key)));
  // A listing can be short without saying so. Before bytes go, each point they lie under is asked for by name.
  for (const id of new Set(unowned.map(({ key }) => idOf(key)))) {
    if (!listed.has(id) && (await read.head(keys.manifest(prefix, id))) !== undefined) kept.add(id);
  }
  const orphans = unowned.filter(({ key }) => !kept.has(idOf(key)));
  const uploads = (await read.unfinishedUploads(keys.data(prefix))).filter((u) => isOld(u.startedAt));
  if (remove) {
    const remover = deletable(context.stores);
    await remover.remove(orphans.map((o) => o.key));
    for (const upload of uploads) await remover.abortUpload(upload);
  }
  return [
    ...orphans.map(({ key, sizeBytes, modifiedAt }) => ({ key, sizeBytes, modifiedAt })),
    ...uploads.map((u) => ({ key: u.key, sizeBytes: 0, modifiedAt: instant(Date.parse(u.startedAt)) })),
  ];
}
