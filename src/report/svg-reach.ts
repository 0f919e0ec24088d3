/**
 * How far back one can go: recovery points as marks on a time axis (filled when a restore has proved them),
 * the ranges in which any instant can be restored as a band, and the gaps between the ranges in red.
 */
import type { Instant } from "../catalogue/instant.ts";
import { frame, line, num, rect, text, timeTicks } from "./svg-frame.ts";
import { count, formatInstant, formatSeconds } from "./units.ts";

export interface ReachPicture {
  readonly policy: string;
  readonly points: readonly { readonly at: Instant; readonly proved: boolean }[];
  readonly ranges: readonly { readonly fromAt: Instant; readonly toAt: Instant }[];
  /** False where the component has no change log; then only the points can be restored. */
  readonly pointInTime: boolean;
  readonly nowMs: number;
}

const width = 800;
const height = 178;
const left = 24;
const right = 776;

/** The picture as an SVG document. Marks that would fall on each other are drawn once. */
export function reachSvg(picture: ReachPicture): string {
  const points = picture.points
    .map((p) => ({ ms: Date.parse(p.at), proved: p.proved }))
    .filter((p) => Number.isFinite(p.ms))
    .sort((a, b) => a.ms - b.ms);
  const ranges = picture.ranges
    .map((r) => ({ fromMs: Date.parse(r.fromAt), toMs: Date.parse(r.toAt) }))
    .filter((r) => r.toMs >= r.fromMs)
    .sort((a, b) => a.fromMs - b.fromMs);
  const proved = points.filter((p) => p.proved).length;
  const title = `How far back: ${picture.policy}`;
  if (points.length === 0 && ranges.length === 0) {
    return frame({ title, description: "Nothing can be restored.", width, height }, [
      rect(left, 62, right - left, 44, "track", 4),
      text(width / 2, 89, "no recovery point: nothing can be restored", {
        className: "bad strong",
        anchor: "middle",
      }),
    ]);
  }
  const startMs = Math.min(...[points[0]?.ms, ranges[0]?.fromMs].filter((ms) => ms !== undefined));
  const spanMs = Math.max(picture.nowMs - startMs, 3_600_000);
  const fromMs = startMs - spanMs * 0.02;
  const toMs = Math.max(picture.nowMs, startMs + spanMs);
  const x = (ms: number) =>
    left + ((Math.min(toMs, Math.max(fromMs, ms)) - fromMs) / (toMs - fromMs)) * (right - left - 10);
  return frame({ title, description: describe(picture, points, ranges, proved), width, height }, [
    ...axis(fromMs, toMs, x),
    ...bands(picture, ranges, x),
    ...marks(points, x),
    line([x(picture.nowMs), 44, x(picture.nowMs), 132], "ink", 1.5),
    text(right, 27, `now ${formatInstant(new Date(picture.nowMs).toISOString())}`, {
      className: "dim small",
      anchor: "end",
    }),
    ...legend(points.length, proved, picture.pointInTime, ranges.length > 1),
  ]);
}

type Range = { readonly fromMs: number; readonly toMs: number };
type Mark = { readonly ms: number; readonly proved: boolean };

function describe(
  picture: ReachPicture,
  points: readonly Mark[],
  ranges: readonly Range[],
  proved: number,
): string {
  const oldest = points[0];
  const parts = [`${count(points.length, "recovery point")}, ${proved} of them proved by a restore.`];
  if (oldest !== undefined) {
    parts.push(`The oldest is ${formatSeconds((picture.nowMs - oldest.ms) / 1000)} old.`);
  }
  for (const range of ranges) {
    const [from, to] = [range.fromMs, range.toMs].map((ms) => formatInstant(new Date(ms).toISOString()));
    parts.push(`Any instant from ${from} to ${to} can be restored.`);
  }
  if (ranges.length > 1) parts.push(`Between them: ${count(ranges.length - 1, "gap")}.`);
  return parts.join(" ");
}

function axis(fromMs: number, toMs: number, x: (ms: number) => number): readonly string[] {
  const drawn = [line([left, 132, right, 132], "axis")];
  for (const tick of timeTicks(fromMs, toMs, 9)) {
    const at = x(tick.ms);
    drawn.push(line([at, 44, at, 136], "grid"));
    if (at > left + 14 && at < right - 14)
      drawn.push(text(at, 149, tick.label, { className: "dim small", anchor: "middle" }));
  }
  return drawn;
}

function bands(
  picture: ReachPicture,
  ranges: readonly Range[],
  x: (ms: number) => number,
): readonly string[] {
  if (!picture.pointInTime) return [];
  const drawn: string[] = [];
  let endMs: number | undefined;
  for (const range of ranges) {
    if (endMs !== undefined && range.fromMs > endMs) {
      drawn.push(rect(x(endMs), 100, Math.max(2, x(range.fromMs) - x(endMs)), 22, "bad"));
    }
    endMs = Math.max(endMs ?? range.toMs, range.toMs);
  }
  const soft = ranges.map((r) =>
    rect(x(r.fromMs), 100, Math.max(2, x(r.toMs) - x(r.fromMs)), 22, "infosoft", 3),
  );
  return [...soft, ...drawn];
}

/**
 * Proved points above, the others below, so that neither hides the other; marks of a lane keep their distance.
 * Thousands of points stay readable and the file small.
 */
function marks(points: readonly Mark[], x: (ms: number) => number): readonly string[] {
  return [
    ...lane(points, false, x).map(
      (at) =>
        `${line([at, 87, at, 96], "axis")}<circle class="hollow" cx="${num(at)}" cy="83" r="3.5" stroke-width="1.5"/>`,
    ),
    ...lane(points, true, x).map(
      (at) => `${line([at, 64, at, 96], "goodline")}<circle class="good" cx="${num(at)}" cy="59" r="5"/>`,
    ),
  ];
}

/** Positions of one kind, from the newest back; what would touch its newer neighbour is left out. */
function lane(points: readonly Mark[], proved: boolean, x: (ms: number) => number): readonly number[] {
  const kept: number[] = [];
  let last = Number.POSITIVE_INFINITY;
  for (const point of points.toReversed()) {
    if (point.proved !== proved) continue;
    const at = x(point.ms);
    if (last - at < (proved ? 11 : 8)) continue;
    kept.push(at);
    last = at;
  }
  return kept;
}

function legend(points: number, proved: number, pointInTime: boolean, gaps: boolean): readonly string[] {
  const y = 166;
  const drawn = [
    `<circle class="good" cx="${left + 6}" cy="${y - 4}" r="5"/>`,
    text(left + 17, y, `proved by a restore (${proved})`, { className: "small" }),
    `<circle class="hollow" cx="${left + 166}" cy="${y - 4}" r="4" stroke-width="1.5"/>`,
    text(left + 176, y, `not proved (${points - proved})`, { className: "small" }),
  ];
  if (pointInTime) {
    drawn.push(
      rect(left + 290, y - 10, 22, 11, "infosoft", 2),
      text(left + 318, y, "any instant", { className: "small" }),
    );
    if (gaps)
      drawn.push(
        rect(left + 400, y - 10, 22, 11, "bad", 2),
        text(left + 428, y, "gap", { className: "small" }),
      );
  }
  return drawn;
}
