/** Two sorted listings against each other. Pure: what a key's versions on both sides say of the replica. */
import { compareKeys, type Entry, type Version } from "./versions.ts";

export type DifferenceKind =
  | "missing"
  | "extra"
  | "older version"
  | "size"
  | "content"
  | "missing delete marker"
  | "deleted in the replica"
  | "missing version";

export interface Difference {
  readonly kind: DifferenceKind;
  readonly key: string;
  readonly detail: string;
}

export interface CompareRules {
  /** What is younger may still be on its way. */
  readonly settledBeforeMs: number;
  readonly deleteMarkers: boolean;
  readonly deletes: boolean;
}

export interface Pair {
  readonly key: string;
  readonly source?: Entry;
  readonly replica?: Entry;
}

/** Pairs entries of one key, in key order. */
export async function* pairs(
  source: AsyncIterable<Entry>,
  replica: AsyncIterable<Entry>,
): AsyncGenerator<Pair> {
  const a = source[Symbol.asyncIterator]();
  const b = replica[Symbol.asyncIterator]();
  let [x, y] = await Promise.all([a.next(), b.next()]);
  while (x.done !== true || y.done !== true) {
    const order = x.done === true ? 1 : y.done === true ? -1 : compareKeys(x.value.key, y.value.key);
    if (order === 0) {
      yield { key: x.value.key, source: x.value, replica: y.value };
      [x, y] = await Promise.all([a.next(), b.next()]);
    } else if (order < 0) {
      yield { key: x.value.key, source: x.value };
      x = await a.next();
    } else {
      yield { key: y.value.key, replica: y.value };
      y = await b.next();
    }
  }
}

/** What is wrong with one key, worst first; nothing while its newest change may still be on its way. */
export function differencesOf({ key, source, replica }: Pair, rules: CompareRules): readonly Difference[] {
  const there = source?.versions[0];
  const here = replica?.versions[0];
  const different = (kind: DifferenceKind, detail: string): readonly Difference[] => [{ kind, key, detail }];
  const isYoung = (v: Version | undefined) => v !== undefined && v.modifiedMs >= rules.settledBeforeMs;
  if (isYoung(there)) return [];
  if (there === undefined) {
    // Without the deletion of versions, what the source has let go stays in the replica, and that is its purpose.
    if (!rules.deletes || here === undefined || isYoung(here)) return [];
    return different("extra", "the source has no version of it");
  }
  if (there.isMarker) return markerDifferences(key, there, here, rules);
  if (here === undefined) return different("missing", `${there.sizeBytes} bytes, version ${there.versionId}`);
  if (here.isMarker) return different("deleted in the replica", `the source has version ${there.versionId}`);
  if (here.versionId !== there.versionId && here.etag !== there.etag) {
    const isBehind = source?.versions
      .slice(1)
      .some((v) => v.versionId === here.versionId || v.etag === here.etag);
    if (isBehind === true)
      return different(
        "older version",
        `the source is at ${there.versionId}, the replica at ${here.versionId}`,
      );
  }
  if (here.sizeBytes !== there.sizeBytes)
    return different("size", `${there.sizeBytes} bytes at the source, ${here.sizeBytes} in the replica`);
  if (here.etag !== there.etag)
    return different("content", `etag ${there.etag} at the source, ${here.etag} in the replica`);
  return olderVersions(key, source?.versions ?? [], replica?.versions ?? [], rules);
}

function markerDifferences(
  key: string,
  there: Version,
  here: Version | undefined,
  { deleteMarkers }: CompareRules,
): readonly Difference[] {
  if (!deleteMarkers || here === undefined || here.isMarker) return [];
  return [
    {
      kind: "missing delete marker",
      key,
      detail: `deleted at the source, still current in the replica (marker ${there.versionId})`,
    },
  ];
}

/** Versions the source still has and the replica has not. */
function olderVersions(
  key: string,
  source: readonly Version[],
  replica: readonly Version[],
  rules: CompareRules,
): readonly Difference[] {
  const known = new Set(replica.map((v) => v.versionId));
  const etags = new Set(replica.map((v) => v.etag));
  const lost = source
    .slice(1)
    .filter(
      (v) =>
        !v.isMarker && v.modifiedMs < rules.settledBeforeMs && !known.has(v.versionId) && !etags.has(v.etag),
    );
  return lost.slice(0, 1).map((v) => ({
    kind: "missing version",
    key,
    detail: `${lost.length} older versions are not in the replica, the newest of them ${v.versionId}`,
  }));
}
