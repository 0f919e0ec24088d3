/** A catalogue as it was at an instant, as far as what is still stored can tell. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";

/** Points, verdicts, marks and log that were in the store at `atMs`; what has been removed since is missing here too. */
export function catalogueAt(catalogue: Catalogue, atMs: number): Catalogue {
  const was = (at: string) => Date.parse(at) <= atMs;
  const { log, ...rest } = catalogue;
  return {
    ...rest,
    readAt: instant(Math.min(atMs, Date.parse(catalogue.readAt))),
    points: catalogue.points.filter((p) => was(p.storedAt)).map((p) => pointAt(p, was)),
    ...(log === undefined ? {} : { log: { ...log, segments: log.segments.filter((s) => was(s.storedAt)) } }),
  };
}

function pointAt(point: RecoveryPoint, was: (at: string) => boolean): RecoveryPoint {
  const { tombstone, hold, ...rest } = point;
  return {
    ...rest,
    verdicts: point.verdicts.filter((v) => was(v.at)),
    ...(tombstone !== undefined && was(tombstone.at) ? { tombstone } : {}),
    ...(hold !== undefined && was(hold.at) ? { hold } : {}),
  };
}

/**
 * Points that are not there any more and that some manifest stored by `atMs` still names. Of several that went
 * one after the other only the last is named, so there may have been more; oldest first.
 */
export function goneSince(catalogue: Catalogue, atMs: number): readonly PointId[] {
  const there = new Set([
    ...catalogue.points.map((p) => p.manifest.id),
    ...catalogue.unreadable.map((u) => u.id),
  ]);
  const named = catalogue.points
    .filter((p) => Date.parse(p.storedAt) <= atMs)
    .flatMap(({ manifest: { previous, parents } }) => [
      ...(previous === null ? [] : [previous.id]),
      ...parents,
    ]);
  return [...new Set(named)].filter((id) => !there.has(id)).sort();
}
