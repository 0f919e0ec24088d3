/**
 * The time machine: what one policy will hold and let go, day by day, from the points there are and those its
 * schedule will add. A day on which the table lets a point go is the earliest on which it may be marked; the
 * floor, the share of one run and the grace only make it later. Holds and locks last as long as they say.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { compactInstant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import { dayMs, longestAgeMs } from "./calendar.ts";
import { lifetimes, never } from "./lifetimes.ts";
import { isProven, retentionPoint, timeZoneOf } from "./points.ts";
import { firings } from "./simulate.ts";

/** All the time machine needs of a point; also what a catalogue snapshot holds. */
export interface FuturePoint {
  readonly id: PointId;
  readonly atMs: number;
  readonly good: boolean;
  readonly proven: boolean;
  readonly parents: readonly PointId[];
  readonly sizeBytes: number;
  readonly full: boolean;
  /** Null for a hold without an end. */
  readonly heldUntilMs?: number | null;
  readonly lockedUntilMs?: number;
}

/** What is stored of one policy. */
export interface Stock {
  readonly points: readonly FuturePoint[];
  /** Since when the change log has no hole. */
  readonly logFromMs?: number;
}

export interface FutureInput extends Stock {
  readonly policy: Policy;
  readonly fromMs: number;
  readonly days: number;
}

export interface Departure {
  readonly id: PointId;
  readonly atMs: number;
  /** Days after the start. */
  readonly day: number;
  readonly proven: boolean;
  /** It is there today; the others are still to be captured. */
  readonly stored: boolean;
}

/** Curves have one value per day, taken at the day's end. */
export interface Future {
  readonly policy: string;
  readonly fromMs: number;
  readonly count: Int32Array;
  readonly sizeBytes: Float64Array;
  /** Age of the oldest good point; 0 for none. */
  readonly reachMs: Float64Array;
  /** Any instant younger than this can be restored; 0 where there is no log. */
  readonly windowMs: Float64Array;
  /** In the order of days, then of age. */
  readonly departures: readonly Departure[];
}

/** @see FutureInput; pure, and the same input gives the same future. */
export function foresee(input: FutureInput): Future {
  const { policy, fromMs, days } = input;
  const stored = [...input.points].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
  // A suspended policy captures nothing and lets nothing go.
  const added = policy.suspended ? [] : toCome(policy, stored, fromMs, days);
  const points = [...stored, ...added];
  const arrivals = new Int32Array(points.length);
  for (let i = stored.length; i < points.length; i += 1) {
    arrivals[i] = Math.floor(((points[i]?.atMs ?? 0) - fromMs) / dayMs);
  }
  const gone = lifetimes({
    points,
    arrivals,
    keep: policy.suspended ? { forever: true } : policy.retention.keep,
    timeZone: timeZoneOf(policy),
    firstDecisionMs: fromMs + dayMs,
    atLeast: protectedUntil(stored, fromMs),
  });
  return {
    policy: policy.name,
    fromMs,
    ...curves(input, points, arrivals, gone),
    departures: departuresOf(points, stored.length, days, gone),
  };
}

/** The points of a catalogue and the unbroken end of its log. */
export function stockOf(catalogue: Catalogue): Stock {
  const points = catalogue.points.map((point): FuturePoint => {
    const until = point.hold?.until;
    const lockedUntilMs = Date.parse(point.lockedUntil ?? "");
    return {
      ...retentionPoint(point),
      proven: isProven(point),
      sizeBytes: point.manifest.sizeBytes,
      full: point.manifest.capture === "full",
      ...(until === undefined ? {} : { heldUntilMs: until === null ? null : endOf(until) }),
      ...(Number.isNaN(lockedUntilMs) ? {} : { lockedUntilMs }),
    };
  });
  const logFromMs = unbrokenLogFromMs(catalogue);
  return { points, ...(logFromMs === undefined ? {} : { logFromMs }) };
}

/** An end that cannot be read never counts as past. */
function endOf(until: string): number | null {
  const ms = Date.parse(until);
  return Number.isNaN(ms) ? null : ms;
}

function unbrokenLogFromMs({ log }: Catalogue): number | undefined {
  const newestFirst = [...(log?.segments ?? [])].sort((a, b) => b.sequence - a.sequence);
  let last = newestFirst[0];
  if (last === undefined) return undefined;
  for (const segment of newestFirst) {
    if (segment.sequence < last.sequence - 1) break;
    last = segment;
  }
  const ms = Date.parse(last.storedAt);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Captures the schedule will add, each as large as the newest of its kind. */
function toCome(
  policy: Policy,
  stored: readonly FuturePoint[],
  fromMs: number,
  days: number,
): readonly FuturePoint[] {
  // A stored point of the future says that a clock is wrong; captures go on behind it.
  const newestMs = stored.at(-1)?.atMs ?? 0;
  const sizes = {
    full: stored.findLast((p) => p.full)?.sizeBytes ?? 0,
    incremental: stored.findLast((p) => !p.full)?.sizeBytes ?? 0,
  };
  const endMs = fromMs + days * dayMs;
  const { fullCron } = policy.capture;
  const fulls = new Set(
    fullCron === undefined || policy.schedule.kind !== "cron"
      ? []
      : firings({ ...policy, schedule: { ...policy.schedule, cron: fullCron } }, fromMs, endMs),
  );
  const instants = [...new Set([...firings(policy, fromMs, endMs), ...fulls])].sort((a, b) => a - b);
  const added: FuturePoint[] = [];
  let previous = stored.at(-1)?.id;
  for (const atMs of instants) {
    if (atMs <= newestMs) continue;
    const id = compactInstant(atMs);
    const full = fullCron === undefined || previous === undefined || fulls.has(atMs);
    const parents = full || previous === undefined ? [] : [previous];
    const sizeBytes = full ? sizes.full : sizes.incremental || sizes.full;
    added.push({ id, atMs, good: true, proven: false, parents, sizeBytes, full });
    previous = id;
  }
  return added;
}

/** Per stored point the first day on which no hold and no lock keeps it any longer. */
function protectedUntil(stored: readonly FuturePoint[], fromMs: number): Int32Array {
  return Int32Array.from(stored, ({ heldUntilMs, lockedUntilMs }) => {
    if (heldUntilMs === null) return never;
    const untilMs = Math.max(heldUntilMs ?? 0, lockedUntilMs ?? 0);
    // The prune at the end of day n lets go what is held no longer then.
    return Math.max(0, Math.ceil((untilMs - fromMs) / dayMs) - 1);
  });
}

function curves(
  { policy, fromMs, days, logFromMs }: FutureInput,
  points: readonly FuturePoint[],
  arrivals: Int32Array,
  gone: Int32Array,
): Pick<Future, "count" | "sizeBytes" | "reachMs" | "windowMs"> {
  const count = new Int32Array(days);
  const sizeBytes = new Float64Array(days);
  const reachMs = new Float64Array(days);
  for (const [i, point] of points.entries()) {
    const until = Math.min(gone[i] ?? 0, days);
    for (let day = arrivals[i] ?? 0; day < until; day += 1) {
      count[day] = (count[day] ?? 0) + 1;
      sizeBytes[day] = (sizeBytes[day] ?? 0) + point.sizeBytes;
      // Oldest first, so the first to come is the oldest.
      if (reachMs[day] === 0 && point.good) reachMs[day] = fromMs + (day + 1) * dayMs - point.atMs;
    }
  }
  const windowMs = new Float64Array(days);
  if (policy.log !== undefined) fillWindows(policy, { fromMs, logFromMs }, points, arrivals, gone, windowMs);
  return { count, sizeBytes, reachMs, windowMs };
}

/**
 * The window begins at the newest good point that is as old as the log has to be, else at the oldest good one
 * the log still covers; log that was removed once does not come back.
 */
function fillWindows(
  policy: Policy,
  { fromMs, logFromMs = fromMs }: { readonly fromMs: number; readonly logFromMs: number | undefined },
  points: readonly FuturePoint[],
  arrivals: Int32Array,
  gone: Int32Array,
  windowMs: Float64Array,
): void {
  const keepMs = Math.max(
    policy.objectives.pitrWindowMs,
    longestAgeMs(policy.log?.retention.keep ?? { days: 0 }),
  );
  let floorMs = logFromMs;
  for (let day = 0; day < windowMs.length; day += 1) {
    const nowMs = fromMs + (day + 1) * dayMs;
    let anchorMs: number | undefined;
    for (let i = 0; i < points.length; i += 1) {
      const point = points[i] as FuturePoint;
      if (anchorMs !== undefined && point.atMs > nowMs - keepMs) break;
      const isThere = point.good && (arrivals[i] ?? 0) <= day && (gone[i] ?? 0) > day;
      if (isThere && point.atMs >= floorMs) anchorMs = point.atMs;
    }
    if (anchorMs === undefined) continue;
    if (anchorMs <= nowMs - keepMs) floorMs = anchorMs;
    windowMs[day] = Math.max(0, nowMs - anchorMs);
  }
}

function departuresOf(
  points: readonly FuturePoint[],
  storedCount: number,
  days: number,
  gone: Int32Array,
): readonly Departure[] {
  const found: Departure[] = [];
  for (const [i, { id, atMs, proven }] of points.entries()) {
    const day = gone[i] ?? 0;
    if (day < days) found.push({ id, atMs, day, proven, stored: i < storedCount });
  }
  return found.sort((a, b) => a.day - b.day || a.atMs - b.atMs);
}
