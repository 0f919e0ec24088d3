/**
 * A review as one line of a commit's message, in the form git reads as a trailer: enough to make the review again
 * and to see whether it is the same. @see git-interpret-trailers(1)
 */
import type { Instant } from "../catalogue/instant.ts";
import type { Review } from "./review.ts";

export const trailerName = "Holdfast-Review";

export interface ReviewTrailer {
  /** SHA-256 of the review. */
  readonly hash: string;
  readonly asOf: Instant;
  readonly days: number;
  readonly pricePerGibMonth: number;
}

/** Undefined for a review that foresees nothing. */
export function trailerOf({ hash, asOf, outlook }: Review): string | undefined {
  if (outlook === null) return undefined;
  return `${trailerName}: ${hash} as-of=${asOf} days=${outlook.days} price=${outlook.pricePerGibMonth}`;
}

const shape =
  /^([0-9a-f]{64}) as-of=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z) days=(\d{1,4}) price=(\d+(?:\.\d+)?(?:e-\d+)?)$/;

/** The value behind the name; undefined where it is no review. */
export function parseTrailer(value: string): ReviewTrailer | undefined {
  const [, hash, asOf, days, price] = shape.exec(value.trim()) ?? [];
  if (hash === undefined || asOf === undefined || Number.isNaN(Date.parse(asOf))) return undefined;
  return { hash, asOf, days: Number(days), pricePerGibMonth: Number(price) };
}
