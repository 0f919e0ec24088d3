/**
 * A second opinion on keep tables, as naive as can be: every place is a piece of text that Intl prints, every
 * winner is searched for anew. It shares no line with what it judges.
 */
import type { KeepTable } from "../../../src/policy/model.ts";
import type { RetentionPoint } from "../../../src/retention/decide.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

/** `2026-11-22 05:12:33` on the wall clock of the zone. */
export function wallText(timeZone: string, atMs: number): string {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("sv-SE", {
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    formats.set(timeZone, format);
  }
  return format.format(atMs);
}

/** The date of the Monday that begins the week, found by walking back day by day. */
function mondayOf(date: string): string {
  const day = new Date(`${date}T12:00:00Z`);
  while (day.getUTCDay() !== 1) day.setUTCDate(day.getUTCDate() - 1);
  return day.toISOString().slice(0, 10);
}

const labels: Readonly<Record<string, (wall: string, id: string) => string>> = {
  hourly: (wall) => wall.slice(0, 13),
  daily: (wall) => wall.slice(0, 10),
  weekly: (wall) => mondayOf(wall.slice(0, 10)),
  monthly: (wall) => wall.slice(0, 7),
  yearly: (wall) => wall.slice(0, 4),
};

function isNewer(a: RetentionPoint, b: RetentionPoint): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.id > b.id);
}

function newestOf(points: readonly RetentionPoint[]): RetentionPoint | undefined {
  return points.find((p) => points.every((q) => q === p || isNewer(p, q)));
}

/** Ids the table keeps. */
export function oracleKeeps(
  points: readonly RetentionPoint[],
  keep: KeepTable,
  timeZone: string,
  nowMs: number,
): ReadonlySet<string> {
  if (keep.forever) return new Set(points.map((p) => p.id));
  const kept = new Set<string>();
  for (const point of points) {
    if (keep.days !== undefined && nowMs - point.atMs <= keep.days * 86_400_000) kept.add(point.id);
  }
  const walls = new Map(points.map((p) => [p.id, wallText(timeZone, p.atMs)]));
  for (const [line, label] of Object.entries(labels)) {
    const count = keep[line as keyof KeepTable];
    if (typeof count !== "number") continue;
    const byPlace = Map.groupBy(points, (p) => label(walls.get(p.id) ?? "", p.id));
    const places = [...byPlace.keys()].sort().reverse();
    keepPlaces(
      places.map((place) => byPlace.get(place) ?? []),
      count,
      kept,
    );
  }
  if (keep.last !== undefined) {
    const left = new Set(points);
    const places: RetentionPoint[][] = [];
    for (let next = newestOf([...left]); next !== undefined; next = newestOf([...left])) {
      places.push([next]);
      left.delete(next);
    }
    keepPlaces(places, keep.last, kept);
  }
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const point of points) {
      if (!kept.has(point.id)) continue;
      for (const parent of point.parents) if (points.some((p) => p.id === parent)) kept.add(parent);
    }
  }
  return kept;
}

/** Newest place first: `count` places with a good point; the failed-only ones among them keep one each. */
function keepPlaces(places: readonly (readonly RetentionPoint[])[], count: number, kept: Set<string>): void {
  let good = 0;
  let failed = 0;
  for (const place of places) {
    if (good >= count) return;
    const winner = newestOf(place.filter((p) => p.good));
    if (winner !== undefined) {
      kept.add(winner.id);
      good += 1;
    } else if (failed < count) {
      const only = newestOf(place);
      if (only !== undefined) kept.add(only.id);
      failed += 1;
    }
  }
}
