/** The catalogue of one policy, rebuilt from listings; a manifest that has not changed is read once. */
import type { Catalogue, LogArchive, LogNames, RecoveryPoint } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import { keys } from "../catalogue/keys.ts";
import type { Hold, KeyProof, Manifest, Tombstone, Verdict } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { ObjectInfo } from "../store/store.ts";
import { sha256 } from "./canonical.ts";
import type { RepositoryContext } from "./context.ts";
import { parseHold, parseKeyProof, parseManifest, parseTombstone, parseVerdict } from "./schema.ts";
import { openSeenManifests } from "./seen-manifests.ts";

const parallelReads = 16;
const dayMs = 86_400_000;

type Parsed =
  | { readonly value: unknown; readonly sha256: string; readonly etag: string }
  | { readonly reason: string; readonly etag: string };

export interface CatalogueReader {
  read(archive: ((names?: LogNames) => Promise<LogArchive>) | undefined): Promise<Catalogue>;
  /** We have removed this one ourselves: its absence is no loss. */
  forget(key: string): void;
}

export function openCatalogueReader(context: RepositoryContext): CatalogueReader {
  const cache = new Map<string, Parsed>();
  /** Manifests seen before; one that vanishes without having been marked for removal is a remark. */
  const memory = openSeenManifests(context);
  const { prefix } = context;

  const read = async (
    info: ObjectInfo,
    parse: (bytes: Uint8Array) => unknown,
  ): Promise<Parsed | undefined> => {
    const known = cache.get(info.key);
    if (known?.etag === info.etag) return known;
    let parsed: Parsed;
    try {
      const { bytes } = await context.stores.read.get(info.key);
      const hash = sha256(bytes);
      try {
        parsed = { value: parse(bytes), sha256: hash, etag: info.etag };
      } catch (error) {
        parsed = { reason: (error as Error).message, etag: info.etag };
      }
    } catch (error) {
      // Removed between listing and reading.
      if (error instanceof HoldfastError && error.code === "object-missing") return undefined;
      throw error;
    }
    cache.set(info.key, parsed);
    return parsed;
  };

  const readAll = async (place: string, parse: (bytes: Uint8Array, id: string) => unknown) => {
    const infos: ObjectInfo[] = [];
    for await (const info of context.stores.read.list(place))
      if (info.key.endsWith(".json")) infos.push(info);
    const found: { info: ObjectInfo; id: string; parsed: Parsed }[] = [];
    const queue = infos.values();
    const worker = async () => {
      for (const info of queue) {
        const id = info.key
          .slice(place.length)
          .split("/")[0]!
          .replace(/\.json$/, "");
        const parsed = await read(info, (bytes) => parse(bytes, id));
        if (parsed !== undefined) found.push({ info, id, parsed });
      }
    };
    await Promise.all(Array.from({ length: parallelReads }, worker));
    return found.sort((a, b) => (a.info.key < b.info.key ? -1 : 1));
  };

  return {
    forget: (key) => {
      memory.forget(key);
      cache.delete(key);
    },
    read: async (archive) => {
      const remarks: string[] = [];
      let complete = true;
      const about = { policy: context.policy.name, cluster: context.cluster, prefix };
      const attempt = async <T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> => {
        try {
          return await work();
        } catch (error) {
          complete = false;
          remarks.push(`${what} could not be read whole: ${(error as Error).message}`);
          return otherwise;
        }
      };
      const [manifests, verdicts, keyProofs, tombstones, holds] = await Promise.all([
        // A store that does not answer at all is an error for the caller, not an empty catalogue.
        readAll(keys.manifests(prefix), (bytes, id) => parseManifest(bytes, { ...about, id })),
        attempt("verdicts", () => readAll(keys.verdicts(prefix), parseVerdict), []),
        attempt("key proofs", () => readAll(keys.keyProofs(prefix), parseKeyProof), []),
        attempt("tombstones", () => readAll(keys.tombstones(prefix), parseTombstone), []),
        attempt("holds", () => readAll(keys.holds(prefix), parseHold), []),
      ]);
      // Only a manifest tells the size of the server's segments, and with it how their names count on.
      const newest = manifests.findLast((m) => "value" in m.parsed);
      const names =
        newest !== undefined && "value" in newest.parsed
          ? context.logNames?.forManifest(newest.parsed.value as Manifest)
          : undefined;
      const log = await attempt("the change log", async () => archive?.(names), undefined);
      for (const { info, parsed } of [...verdicts, ...tombstones, ...holds]) {
        if (!("reason" in parsed)) continue;
        // An unreadable hold may be the one that keeps a point.
        complete = false;
        remarks.push(`'${info.key}' cannot be read: ${parsed.reason}`);
      }
      const proofs = keyProofs.flatMap(({ info, id, parsed }) => {
        if ("reason" in parsed) {
          // It keeps no point from being deleted: the key counts as untried, and that is told.
          remarks.push(`'${info.key}' cannot be read: ${parsed.reason}`);
          return [];
        }
        const proof = parsed.value as KeyProof;
        return proof.recipient === id && proof.policy === about.policy ? [proof] : [];
      });
      const listed = new Set(manifests.map((m) => m.info.key));
      const marked = new Map(
        tombstones.flatMap(({ id, parsed }): [string, number][] =>
          "value" in parsed
            ? [[keys.manifest(prefix, id), Date.parse((parsed.value as Tombstone).notBefore)]]
            : [],
        ),
      );
      for (const key of await memory.compare(listed, marked)) {
        complete = false;
        remarks.push(
          `'${key}' was listed before and is not any more, and nobody had marked it for removal; if that was meant, remove the cache folder of the state folder`,
        );
      }
      const of = <T extends { readonly point: string; readonly policy: string }>(
        found: typeof verdicts,
        id: string,
      ) =>
        found.flatMap(({ id: place, parsed }) => {
          if (place !== id || !("value" in parsed)) return [];
          const value = parsed.value as T;
          return value.point === id && value.policy === about.policy ? [value] : [];
        });
      const points = manifests.flatMap(({ info, id, parsed }): Writable<RecoveryPoint>[] => {
        if (!("value" in parsed)) return [];
        const [tombstone] = of<Tombstone>(tombstones, id);
        const [hold] = of<Hold>(holds, id);
        return [
          {
            manifest: parsed.value as Manifest,
            manifestSha256: parsed.sha256,
            storedAt: info.modifiedAt,
            // A verdict about other bytes under the same id proves nothing.
            verdicts: of<Verdict>(verdicts, id)
              .filter((verdict) => verdict.manifestSha256 === parsed.sha256)
              .sort((a, b) => (a.at < b.at ? -1 : 1)),
            ...(tombstone === undefined ? {} : { tombstone }),
            ...(hold === undefined ? {} : { hold }),
          },
        ];
      });
      await attempt("locks", () => addLocks(context, points), undefined);
      const unreadable = manifests.flatMap(({ id, parsed }) =>
        "reason" in parsed ? [{ id, reason: parsed.reason }] : [],
      );
      points.sort((a, b) => (a.manifest.slotAt < b.manifest.slotAt ? -1 : 1));
      return {
        policy: about.policy,
        points,
        ...(log === undefined ? {} : { log }),
        keyProofs: proofs,
        complete,
        remarks,
        unreadable,
        readAt: instant(context.clock.nowMs()),
      };
    },
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * When the store's default lock lets each point go, as far as that can be foreseen without asking for each; of
 * points that are marked for removal, and of those only, what is really in force.
 */
async function addLocks(
  context: RepositoryContext,
  points: readonly Writable<RecoveryPoint>[],
): Promise<void> {
  const { read } = context.stores;
  const lock = await read.objectLock();
  if (lock?.mode === "none") return;
  for (const point of points) {
    const foreseenMs = Date.parse(point.storedAt) + (lock?.days ?? 0) * dayMs;
    if (lock !== undefined) point.lockedUntil = instant(foreseenMs);
    if (point.tombstone === undefined) continue;
    const until = await read.lockedUntil(keys.manifest(context.prefix, point.manifest.id));
    if (until === undefined) delete point.lockedUntil;
    else point.lockedUntil = until;
  }
}
