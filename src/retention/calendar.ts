/**
 * The places of a keep table on the calendar of one time zone: which hour, day, ISO week, month and year an
 * instant falls in. Buckets are whole numbers that grow with local time; their names are for people.
 */
import type { KeepTable } from "../policy/model.ts";
import { offsetAt } from "../time/zone.ts";

export const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** The lines of a keep table that count places. */
export type CountedLine = "last" | "hourly" | "daily" | "weekly" | "monthly" | "yearly";

export const countedLines: readonly CountedLine[] = [
  "last",
  "hourly",
  "daily",
  "weekly",
  "monthly",
  "yearly",
] as const;

/** Milliseconds on the wall clock of the zone. @throws RangeError for an unknown zone */
export function wallOf(timeZone: string, atMs: number): number {
  return atMs + offsetAt(timeZone, atMs);
}

/** The bucket of a wall clock instant; `last` gives every point its own and has none. */
export function bucketOf(line: Exclude<CountedLine, "last">, wallMs: number): number {
  switch (line) {
    case "hourly":
      return Math.floor(wallMs / hourMs);
    case "daily":
      return Math.floor(wallMs / dayMs);
    case "weekly":
      // Day 0 was a Thursday; ISO weeks begin on Monday.
      return Math.floor((Math.floor(wallMs / dayMs) + 3) / 7);
    case "monthly": {
      const date = new Date(wallMs);
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    }
    case "yearly":
      return new Date(wallMs).getUTCFullYear();
  }
}

/** `daily 2026-11-22`, `weekly 2026-W47`, as a reason shows it. */
export function nameOfPlace(line: CountedLine, wallMs: number, rank: number): string {
  const text = new Date(wallMs).toISOString();
  switch (line) {
    case "last":
      return `last ${rank}`;
    case "hourly":
      return `hourly ${text.slice(0, 13)}`;
    case "daily":
      return `daily ${text.slice(0, 10)}`;
    case "weekly":
      return `weekly ${isoWeek(wallMs)}`;
    case "monthly":
      return `monthly ${text.slice(0, 7)}`;
    case "yearly":
      return `yearly ${text.slice(0, 4)}`;
  }
}

/** `2026-W47`. The week belongs to the year its Thursday is in. */
export function isoWeek(wallMs: number): string {
  const day = Math.floor(wallMs / dayMs);
  const thursday = Math.floor((day + 3) / 7) * 7;
  const year = new Date(thursday * dayMs).getUTCFullYear();
  const firstDay = Math.floor(Date.UTC(year, 0, 1) / dayMs);
  return `${year}-W${String(Math.floor((thursday - firstDay) / 7) + 1).padStart(2, "0")}`;
}

/** The table in one line: `daily 7, weekly 4`. */
export function describeKeep(keep: KeepTable): string {
  if (keep.forever) return "forever";
  const parts: string[] = countedLines.flatMap((line) =>
    keep[line] === undefined ? [] : [`${line} ${keep[line]}`],
  );
  if (keep.days !== undefined) parts.push(`days ${keep.days}`);
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

/** The longest age a table speaks of, in milliseconds, with the longest month and year; for a log, which is not thinned. */
export function longestAgeMs(keep: KeepTable): number {
  if (keep.forever) return Number.POSITIVE_INFINITY;
  return Math.max(
    (keep.days ?? 0) * dayMs,
    (keep.hourly ?? 0) * hourMs,
    (keep.daily ?? 0) * dayMs,
    (keep.weekly ?? 0) * 7 * dayMs,
    (keep.monthly ?? 0) * 31 * dayMs,
    (keep.yearly ?? 0) * 366 * dayMs,
  );
}
