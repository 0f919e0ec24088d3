/**
 * What all pictures share: the frame with title and description for screen readers, one palette for light
 * and dark, axes with round ticks. No script, no outside font or picture, and numbers with two decimals at most,
 * so that the same values always give the same bytes.
 */
import { escapeXml } from "./escape.ts";

export interface Frame {
  readonly title: string;
  /** The picture in words, for those who cannot see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
}

/** Colours hold 4.5:1 for text and 3:1 for marks on GitHub's light and dark page. */
const style = `
  .page{fill:#ffffff;stroke:#d1d9e0}
  text{font:12px -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;fill:#1f2328}
  .head{font-size:14px;font-weight:600}.dim{fill:#59636e}.small{font-size:11px}.strong{font-weight:600}
  .axis{stroke:#818b98}.grid{stroke:#d1d9e0}.track{fill:#eff2f5}
  .good{fill:#1a7f37}.goodsoft{fill:#aceebb}.bad{fill:#cf222e}.warn{fill:#bf8700}.info{fill:#0969da}.infosoft{fill:#b6e3ff}
  .none{fill:#e6eaef}.hollow{fill:#ffffff;stroke:#57606a}.goodline{stroke:#1a7f37}.badline{stroke:#cf222e}.infoline{stroke:#0969da}.ink{stroke:#1f2328}
  .on{fill:#ffffff}
  @media(prefers-color-scheme:dark){
  .page{fill:#0d1117;stroke:#3d444d}text{fill:#f0f6fc}.dim{fill:#9198a1}
  .axis{stroke:#656c76}.grid{stroke:#2f353d}.track{fill:#21262d}
  .good{fill:#3fb950}.goodsoft{fill:#1b4b28}.bad{fill:#f85149}.warn{fill:#d29922}.info{fill:#4493f8}.infosoft{fill:#1c3a63}
  .none{fill:#262c36}.hollow{fill:#0d1117;stroke:#9198a1}.goodline{stroke:#3fb950}.badline{stroke:#f85149}.infoline{stroke:#4493f8}.ink{stroke:#f0f6fc}
  .on{fill:#0d1117}}
`;

/** A whole SVG document around `body`, with the title drawn at the top left. */
export function frame(facts: Frame, body: readonly string[]): string {
  const { width, height } = facts;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escapeXml(facts.title)}</title>`,
    `<desc id="d">${escapeXml(facts.description)}</desc>`,
    `<style>${style}</style>`,
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    text(20, 27, facts.title, { className: "head", limit: Math.floor((width - 40) / 8) }),
    ...body,
    "</svg>",
  ].join("\n")}\n`;
}

/** A coordinate with at most two decimals; what is not finite is drawn at 0 rather than breaking the file. */
export function num(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 100) / 100 + 0) : "0";
}

export function rect(x: number, y: number, width: number, height: number, className: string, rx = 0): string {
  const round = rx > 0 ? ` rx="${rx}"` : "";
  return `<rect class="${className}" x="${num(x)}" y="${num(y)}" width="${num(Math.max(0, width))}" height="${num(height)}"${round}/>`;
}

/** `fromTo` is x1, y1, x2, y2. */
export function line(
  fromTo: readonly [number, number, number, number],
  className: string,
  width = 1,
): string {
  const [x1, y1, x2, y2] = fromTo.map(num);
  return `<line class="${className}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke-width="${width}"/>`;
}

export function text(
  x: number,
  y: number,
  content: string,
  options: {
    readonly className?: string;
    readonly anchor?: "start" | "middle" | "end";
    readonly limit?: number;
  } = {},
): string {
  const letters = [...content];
  const limit = options.limit ?? 200;
  const shown = letters.length <= limit ? content : `${letters.slice(0, Math.max(1, limit - 1)).join("")}…`;
  const className = options.className === undefined ? "" : ` class="${options.className}"`;
  const anchor =
    options.anchor === undefined || options.anchor === "start" ? "" : ` text-anchor="${options.anchor}"`;
  return `<text x="${num(x)}" y="${num(y)}"${className}${anchor}>${escapeXml(shown)}</text>`;
}

const dayMs = 86_400_000;
const timeSteps = [
  1 / 1440,
  5 / 1440,
  15 / 1440,
  1 / 24,
  3 / 24,
  6 / 24,
  12 / 24,
  1,
  2,
  7,
  14,
  30,
  61,
  91,
  182,
  365,
  730,
  1825,
  3650,
  36_500,
];

/** Instants at round steps between the ends, at most `most` of them, each with a label as short as the step allows. */
export function timeTicks(
  fromMs: number,
  toMs: number,
  most: number,
): readonly { readonly ms: number; readonly label: string }[] {
  const span = (toMs - fromMs) / dayMs;
  if (!(span > 0)) return [];
  const stepDays = timeSteps.find((step) => span / step <= most) ?? span / most;
  const stepMs = stepDays * dayMs;
  const ticks = [];
  for (let ms = Math.ceil(fromMs / stepMs) * stepMs; ms <= toMs; ms += stepMs)
    ticks.push({ ms, label: tickLabel(ms, stepDays) });
  return ticks;
}

function tickLabel(ms: number, stepDays: number): string {
  const iso = new Date(ms).toISOString();
  if (stepDays < 1) return iso.slice(11, 16) === "00:00" ? iso.slice(5, 10) : iso.slice(11, 16);
  return stepDays < 91 ? iso.slice(5, 10) : iso.slice(0, 7);
}

/** Round values from 0 to at least `most`, three to six of them, in steps of 1, 2 or 5 of the binary unit. */
export function sizeTicks(most: number): readonly number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0, 1];
  const unit = 1024 ** Math.min(6, Math.floor(Math.log2(most) / 10));
  const raw = most / unit / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10) * power * unit;
  const ticks = [];
  for (let index = 0; index * step < most + step && index < 8; index += 1) ticks.push(index * step);
  return ticks;
}
