/**
 * The sawtooth: what a disaster would have cost at each instant of the report's time, with the RPO as a line.
 * It falls when a capture ends and lies on the floor where any instant can be restored.
 */
import { endSeconds, secondsOver, type Tooth } from "../health/error-budget.ts";
import { frame, line, num, rect, text, timeTicks } from "./svg-frame.ts";
import { count, formatSeconds } from "./units.ts";

export interface AgePicture {
  readonly policy: string;
  /** Oldest first. */
  readonly teeth: readonly Tooth[];
  readonly rpoSeconds: number;
}

const width = 800;
const height = 220;
const left = 84;
const right = 776;
const top = 46;
const bottom = 168;
/** One drawn step is about two pixels wide. */
const mostSteps = 340;
const secondSteps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
  604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/** The picture in words. */
export function describeAge({ teeth, rpoSeconds }: AgePicture): string {
  const [first, last] = [teeth[0], teeth.at(-1)];
  if (first === undefined || last === undefined) return "No recovery point was there in this time.";
  const worst = teeth.reduce((most, t) => Math.max(most, endSeconds(t)), 0);
  const over = teeth.reduce((sum, t) => sum + secondsOver(t, rpoSeconds), 0);
  const said =
    over === 0
      ? `never more than the RPO of ${formatSeconds(rpoSeconds)}`
      : `more than the RPO of ${formatSeconds(rpoSeconds)} for ${formatSeconds(over)} of ${formatSeconds((last.toMs - first.fromMs) / 1000)}`;
  return `A disaster would have cost ${formatSeconds(worst)} at most, ${said}.`;
}

/** The picture as an SVG document. */
export function ageSvg(picture: AgePicture): string {
  const { teeth, rpoSeconds } = picture;
  const title = `What a disaster would have cost: ${picture.policy}`;
  const description = describeAge(picture);
  const [first, last] = [teeth[0], teeth.at(-1)];
  if (first === undefined || last === undefined) {
    return frame({ title, description, width, height }, [
      rect(left, top, right - left, bottom - top, "track", 4),
      text((left + right) / 2, (top + bottom) / 2, "no recovery point yet: everything", {
        className: "bad strong",
        anchor: "middle",
      }),
    ]);
  }
  const worst = teeth.reduce((most, t) => Math.max(most, endSeconds(t)), 0);
  // A line far above everything would press the teeth flat; then it is only named.
  const showsLine = rpoSeconds <= Math.max(worst, 1) * 8;
  const ticks = secondTicks(Math.max(worst, showsLine ? rpoSeconds * 1.1 : 0, 1));
  const most = ticks.at(-1) ?? 1;
  const spanMs = last.toMs - first.fromMs;
  const x = (ms: number) => left + ((ms - first.fromMs) / spanMs) * (right - left);
  const y = (seconds: number) => bottom - (seconds / most) * (bottom - top);
  return frame({ title, description, width, height }, [
    ...ticks.flatMap((seconds) => [
      line([left, y(seconds), right, y(seconds)], seconds === 0 ? "axis" : "grid"),
      text(left - 8, y(seconds) + 4, formatSeconds(seconds), { className: "dim small", anchor: "end" }),
    ]),
    ...timeTicks(first.fromMs, last.toMs, 9).map((tick) =>
      text(Math.min(right - 14, Math.max(left + 14, x(tick.ms))), bottom + 24, tick.label, {
        className: "dim small",
        anchor: "middle",
      }),
    ),
    `<path class="infosoft" d="${outline(teeth, x, y)}"/>`,
    ...overTimes(teeth, rpoSeconds).map(({ fromMs, toMs }) =>
      rect(x(fromMs), bottom + 3, Math.max(2, x(toMs) - x(fromMs)), 6, "bad"),
    ),
    ...rpoLine(rpoSeconds, showsLine, y),
    ...legend(teeth),
  ]);
}

/** Round durations from 0 to at least `most`. */
function secondTicks(most: number): readonly number[] {
  const step = secondSteps.find((s) => most / s <= 4) ?? most / 4;
  const ticks = [0];
  while ((ticks.at(-1) ?? 0) < most) ticks.push(ticks.length * step);
  return ticks;
}

/** A closed outline; with many teeth each step shows the worst of its neighbours, so that nothing looks better than it was. */
function outline(teeth: readonly Tooth[], x: (ms: number) => number, y: (seconds: number) => number): string {
  const first = teeth[0] as Tooth;
  const last = teeth.at(-1) as Tooth;
  const path = [`M${num(x(first.fromMs))} ${num(y(0))}`];
  if (teeth.length <= mostSteps) {
    for (const tooth of teeth) {
      path.push(`L${num(x(tooth.fromMs))} ${num(y(tooth.startSeconds))}`);
      path.push(`L${num(x(tooth.toMs))} ${num(y(endSeconds(tooth)))}`);
    }
  } else {
    const size = teeth.length / mostSteps;
    for (let step = 0; step < mostSteps; step += 1) {
      const part = teeth.slice(Math.floor(step * size), Math.floor((step + 1) * size));
      const worst = part.reduce((most, t) => Math.max(most, endSeconds(t)), 0);
      const [from, to] = [part[0] as Tooth, part.at(-1) as Tooth];
      path.push(`L${num(x(from.fromMs))} ${num(y(worst))}L${num(x(to.toMs))} ${num(y(worst))}`);
    }
  }
  path.push(`L${num(x(last.toMs))} ${num(y(0))}Z`);
  return path.join("");
}

/** When the RPO was missed; times that would touch each other in the picture are one. */
function overTimes(
  teeth: readonly Tooth[],
  rpoSeconds: number,
): readonly { readonly fromMs: number; readonly toMs: number }[] {
  const [first, last] = [teeth[0], teeth.at(-1)];
  const nearMs = first === undefined || last === undefined ? 0 : (last.toMs - first.fromMs) / mostSteps;
  const times: { fromMs: number; toMs: number }[] = [];
  for (const tooth of teeth) {
    const over = secondsOver(tooth, rpoSeconds);
    if (over === 0) continue;
    const fromMs = tooth.toMs - over * 1000;
    const before = times.at(-1);
    if (before !== undefined && fromMs - before.toMs <= nearMs) before.toMs = tooth.toMs;
    else times.push({ fromMs, toMs: tooth.toMs });
  }
  return times;
}

function rpoLine(rpoSeconds: number, isShown: boolean, y: (seconds: number) => number): readonly string[] {
  const label = `RPO ${formatSeconds(rpoSeconds)}`;
  if (!isShown)
    return [text(right, 27, `${label}, above the picture`, { className: "dim small", anchor: "end" })];
  const at = num(y(rpoSeconds));
  return [
    `<line class="ink" x1="${left}" y1="${at}" x2="${right}" y2="${at}" stroke-width="1.5" stroke-dasharray="6 4"/>`,
    text(right, 27, `${label} (dashed)`, { className: "dim small", anchor: "end" }),
  ];
}

function legend(teeth: readonly Tooth[]): readonly string[] {
  const drawn = [
    rect(left, bottom + 36, 11, 11, "infosoft", 2),
    text(left + 17, bottom + 45, "what would have been lost", { className: "small" }),
    rect(left + 190, bottom + 38, 22, 6, "bad"),
    text(left + 218, bottom + 45, "more than the RPO", { className: "small" }),
  ];
  if (teeth.length > mostSteps)
    drawn.push(
      text(
        right,
        bottom + 45,
        `each step the worst of ${count(Math.ceil(teeth.length / mostSteps), "stretch", "stretches")}`,
        {
          className: "dim small",
          anchor: "end",
        },
      ),
    );
  return drawn;
}
