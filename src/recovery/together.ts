/**
 * The last instant to which a whole set of components can be brought back. A component with a log comes back
 * to the instant itself or not at all; one without comes back as its newest point at or before it left it.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { type Instant, instant } from "../catalogue/instant.ts";
import { type ReachableRange, reachableRanges } from "./chain.ts";

export interface Recoverable {
  readonly policy: string;
  /** The states that can be brought back, oldest first, none overlapping. */
  readonly ranges: readonly ReachableRange[];
  /** A restore to an instant brings back that instant or fails. */
  readonly exact: boolean;
}

export interface StateOf {
  readonly policy: string;
  readonly stateAt: Instant;
}

export interface Together {
  /** `restore --at` this instant goes through for every component. */
  readonly at: Instant;
  /** What each then holds, in the order given. */
  readonly states: readonly StateOf[];
  /** Between the oldest and the newest of the states; 0 when all are of one instant. */
  readonly spreadSeconds: number;
  readonly oldest: StateOf;
  readonly newest: StateOf;
}

/** `hasVersions`: the store of the data itself goes back to any instant between two points. */
export function recoverable(
  catalogue: Catalogue,
  { logReachMs, hasVersions }: { readonly logReachMs?: number; readonly hasVersions?: boolean } = {},
): Recoverable {
  const found = reachableRanges(logReachMs === undefined ? { catalogue } : { catalogue, logReachMs });
  const [first, last] = [found[0], found.at(-1)];
  const isOneRange = hasVersions === true && first !== undefined && last !== undefined;
  const ranges = isOneRange ? [{ fromAt: first.fromAt, toAt: last.toAt }] : found;
  return { policy: catalogue.policy, ranges, exact: catalogue.log !== undefined };
}

/** The newest state at or before `atMs` that can be brought back, in milliseconds. */
export function stateMsAt({ ranges }: Recoverable, atMs: number): number | undefined {
  const range = ranges.findLast((r) => Date.parse(r.fromAt) <= atMs);
  return range === undefined ? undefined : Math.min(atMs, Date.parse(range.toAt));
}

/** The latest instant at or before `atMs` for which every component has a restore; undefined for none at all. */
export function lastTogether(components: readonly Recoverable[], atMs: number): Together | undefined {
  if (components.length === 0) return undefined;
  const exact = components.filter((c) => c.exact);
  // Between two ends of log nothing is lost by going on, so the latest is the instant itself or one of the ends.
  for (const ms of endsBefore(exact, atMs)) {
    const states = components.map((c) => ({ policy: c.policy, exact: c.exact, ms: stateMsAt(c, ms) }));
    if (states.some((s) => s.ms === undefined || (s.exact && s.ms !== ms))) continue;
    const known = states.map((s) => ({ policy: s.policy, ms: s.ms ?? ms }));
    const oldest = known.reduce((a, b) => (b.ms < a.ms ? b : a));
    const newest = known.reduce((a, b) => (b.ms > a.ms ? b : a));
    const named = (s: { readonly policy: string; readonly ms: number }): StateOf => ({
      policy: s.policy,
      stateAt: instant(s.ms),
    });
    return {
      at: instant(ms),
      states: known.map(named),
      spreadSeconds: (newest.ms - oldest.ms) / 1000,
      oldest: named(oldest),
      newest: named(newest),
    };
  }
  return undefined;
}

/** The latest instant at or before `atMs` of which every component has a state; undefined where there is none. */
export function lastOfOneInstant(components: readonly Recoverable[], atMs: number): Instant | undefined {
  if (components.length === 0) return undefined;
  const found = endsBefore(components, atMs).find((ms) => components.every((c) => stateMsAt(c, ms) === ms));
  return found === undefined ? undefined : instant(found);
}

/** `atMs` and every end of a range before it, latest first. */
function endsBefore(components: readonly Recoverable[], atMs: number): readonly number[] {
  const ends = components.flatMap((c) => c.ranges.map((r) => Date.parse(r.toAt))).filter((ms) => ms < atMs);
  return [...new Set([atMs, ...ends])].sort((a, b) => b - a);
}
