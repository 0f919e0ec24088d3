/** Sizes over time: one bar per recovery point or, with many, the median of neighbours; full and incremental apart. */
import type { Instant } from "../catalogue/instant.ts";
import { frame, line, rect, sizeTicks, text, timeTicks } from "./svg-frame.ts";
import { count, formatBytes } from "./units.ts";

export interface SizesPicture {
  readonly policy: string;
  readonly points: readonly { readonly at: Instant; readonly sizeBytes: number; readonly full: boolean }[];
  /** Under this many bytes a full point counts as too small; undefined when there is no history yet. */
  readonly floorBytes?: number;
}

const width = 800;
const height = 230;
const left = 84;
const right = 776;
const top = 46;
const bottom = 190;
const mostBars = 90;

interface Bar {
  readonly ms: number;
  readonly sizeBytes: number;
  readonly full: boolean;
  readonly small: boolean;
}

/** The picture as an SVG document. The axis begins at 0, so that lengths can be compared. */
export function sizesSvg(picture: SizesPicture): string {
  const title = `Size of recovery points: ${picture.policy}`;
  const all = picture.points
    .map((p) => ({
      ms: Date.parse(p.at),
      sizeBytes: p.sizeBytes,
      full: p.full,
      small: p.full && picture.floorBytes !== undefined && p.sizeBytes < picture.floorBytes,
    }))
    .filter((p) => Number.isFinite(p.ms) && Number.isFinite(p.sizeBytes) && p.sizeBytes >= 0)
    .sort((a, b) => a.ms - b.ms);
  const bars = thin(all);
  const first = bars[0];
  const last = bars.at(-1);
  if (first === undefined || last === undefined) {
    return frame({ title, description: "There is no recovery point.", width, height }, [
      rect(left, top, right - left, bottom - top, "track", 4),
      text((left + right) / 2, (top + bottom) / 2, "no recovery point yet", {
        className: "dim",
        anchor: "middle",
      }),
    ]);
  }
  const ticks = sizeTicks(Math.max(...bars.map((b) => b.sizeBytes), picture.floorBytes ?? 0));
  const most = ticks.at(-1) ?? 1;
  const slot = (right - left) / Math.max(bars.length, 8);
  const spanMs = Math.max(last.ms - first.ms, 1);
  const x = (ms: number) =>
    bars.length === 1
      ? left + slot / 2
      : left + slot / 2 + ((ms - first.ms) / spanMs) * (right - left - slot);
  const y = (bytes: number) => bottom - (bytes / most) * (bottom - top);
  const newest = all.at(-1);
  const description = `${count(all.length, "recovery point")}; the newest has ${formatBytes(newest?.sizeBytes ?? 0)}, the largest ${formatBytes(Math.max(...all.map((b) => b.sizeBytes)))}.`;
  return frame({ title, description, width, height }, [
    ...ticks.flatMap((bytes) => [
      line([left, y(bytes), right, y(bytes)], bytes === 0 ? "axis" : "grid"),
      text(left - 8, y(bytes) + 4, formatBytes(bytes), { className: "dim small", anchor: "end" }),
    ]),
    ...dates(first.ms, last.ms, x),
    ...bars.map((bar) => drawBar(bar, x, y, barWidth(bars, x))),
    ...floor(picture.floorBytes, most, y),
    ...legend(all, bars.length < all.length),
  ]);
}

/** More points than bars: neighbours share a bar, which shows their median; a small one is never hidden. */
function thin(all: readonly Bar[]): readonly Bar[] {
  if (all.length <= mostBars) return all;
  const bars: Bar[] = [];
  for (let index = 0; index < mostBars; index += 1) {
    const part = all.slice(
      Math.floor((index * all.length) / mostBars),
      Math.floor(((index + 1) * all.length) / mostBars),
    );
    const sorted = [...part].sort((a, b) => a.sizeBytes - b.sizeBytes);
    const shown = part.find((b) => b.small) ?? sorted[Math.floor(sorted.length / 2)];
    if (shown !== undefined) bars.push(shown);
  }
  return bars;
}

/** As wide as the two nearest neighbours allow, so that bars never cover each other. */
function barWidth(bars: readonly Bar[], x: (ms: number) => number): number {
  let nearest = 22;
  for (let index = 1; index < bars.length; index += 1) {
    const [a, b] = [bars[index - 1], bars[index]];
    if (a !== undefined && b !== undefined) nearest = Math.min(nearest, x(b.ms) - x(a.ms));
  }
  return Math.max(1.5, nearest * 0.72);
}

function drawBar(bar: Bar, x: (ms: number) => number, y: (bytes: number) => number, wide: number): string {
  const top = Math.min(y(bar.sizeBytes), bottom - 1);
  return rect(
    x(bar.ms) - wide / 2,
    top,
    wide,
    bottom - top,
    bar.small ? "bad" : bar.full ? "info" : "infosoft",
    wide > 6 ? 2 : 0,
  );
}

function dates(fromMs: number, toMs: number, x: (ms: number) => number): readonly string[] {
  const ticks = timeTicks(fromMs, toMs, 9);
  const shown =
    ticks.length === 0 ? [{ ms: fromMs, label: new Date(fromMs).toISOString().slice(0, 10) }] : ticks;
  return shown.map((tick) =>
    text(Math.max(left + 14, x(tick.ms)), bottom + 16, tick.label, {
      className: "dim small",
      anchor: "middle",
    }),
  );
}

function floor(
  floorBytes: number | undefined,
  most: number,
  y: (bytes: number) => number,
): readonly string[] {
  if (floorBytes === undefined || floorBytes <= 0 || floorBytes > most) return [];
  return [
    `<line class="badline" x1="${left}" y1="${y(floorBytes).toFixed(1)}" x2="${right}" y2="${y(floorBytes).toFixed(1)}" stroke-width="1.5" stroke-dasharray="6 4"/>`,
  ];
}

function legend(all: readonly Bar[], thinned: boolean): readonly string[] {
  const entries: readonly (readonly [string, string])[] = [
    ["info", "full"],
    ...(all.some((b) => !b.full) ? ([["infosoft", "incremental"]] as const) : []),
    ...(all.some((b) => b.small) ? ([["bad", "too small"]] as const) : []),
  ];
  const drawn: string[] = [];
  let x = left;
  for (const [className, label] of entries) {
    drawn.push(
      rect(x, bottom + 24, 11, 11, className, 2),
      text(x + 17, bottom + 33, label, { className: "small" }),
    );
    x += 34 + label.length * 6.5;
  }
  if (thinned)
    drawn.push(
      text(right, bottom + 33, `medians of ${all.length} points`, { className: "dim small", anchor: "end" }),
    );
  return drawn;
}
