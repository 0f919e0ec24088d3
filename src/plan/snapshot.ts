/**
 * A catalogue snapshot: what a review has to know of the stored points, in a file for a runner that may not
 * read the stores. It names no object, no key and no server.
 */
import type { Instant } from "../catalogue/instant.ts";
import type { FuturePoint, Stock } from "../retention/future.ts";

export interface Snapshot {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "CatalogueSnapshot";
  readonly takenAt: Instant;
  readonly policies: readonly (Stock & { readonly policy: string })[];
}

/** By policy name, without the points stored after `asOfMs`. */
export function stocksAsOf(stocks: ReadonlyMap<string, Stock>, asOfMs: number): ReadonlyMap<string, Stock> {
  return new Map(
    [...stocks].map(([name, stock]) => [
      name,
      { ...stock, points: stock.points.filter((p) => p.atMs <= asOfMs) },
    ]),
  );
}

/** Undefined where the value is none; only fields that are known are taken over. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
  const file = value as Partial<Snapshot> | null;
  if (file?.apiVersion !== "holdfast.dev/v1" || file.kind !== "CatalogueSnapshot") return undefined;
  const { takenAt } = file;
  if (typeof takenAt !== "string" || Number.isNaN(Date.parse(takenAt))) return undefined;
  if (!Array.isArray(file.policies)) return undefined;
  const policies: (Stock & { policy: string })[] = [];
  for (const entry of file.policies as readonly Partial<Stock & { policy: string }>[]) {
    if (typeof entry?.policy !== "string" || !Array.isArray(entry.points)) return undefined;
    const points = (entry.points as readonly unknown[]).map(parsePoint);
    if (points.some((p) => p === undefined)) return undefined;
    policies.push({
      policy: entry.policy,
      points: points.filter((p) => p !== undefined),
      ...(isNumber(entry.logFromMs) ? { logFromMs: entry.logFromMs } : {}),
    });
  }
  return { apiVersion: "holdfast.dev/v1", kind: "CatalogueSnapshot", takenAt, policies };
}

function parsePoint(value: unknown): FuturePoint | undefined {
  const p = value as Partial<FuturePoint> | null;
  if (typeof p?.id !== "string" || !isNumber(p.atMs) || !isNumber(p.sizeBytes)) return undefined;
  if (typeof p.good !== "boolean" || typeof p.proven !== "boolean" || typeof p.full !== "boolean")
    return undefined;
  if (!Array.isArray(p.parents) || p.parents.some((id) => typeof id !== "string")) return undefined;
  const { id, atMs, good, proven, full, sizeBytes, heldUntilMs, lockedUntilMs } = p;
  return {
    ...{ id, atMs, good, proven, full, sizeBytes, parents: [...p.parents] },
    ...(heldUntilMs === null || isNumber(heldUntilMs) ? { heldUntilMs } : {}),
    ...(isNumber(lockedUntilMs) ? { lockedUntilMs } : {}),
  };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
