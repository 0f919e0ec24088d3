/** `badge.svg` beside the index: the newest verdict with its day, so that an old badge shows its age. */
import { escapeXml } from "./escape.ts";
import type { ReportInput } from "./input.ts";
import { overallVerdict } from "./verdict.ts";

const leftWidth = 58;
const letterWidth = 6.6;
const words = { good: "proved", warn: "not all proved", bad: "needs somebody" } as const;
const colours = { good: "#1f7a3d", warn: "#8a6100", bad: "#b3261e" } as const;

export function badgeSvg(input: ReportInput): string {
  const { mood } = overallVerdict(
    input.policies.map((p) => p.health),
    input.notBuilt,
  );
  const day = new Date(input.nowMs).toISOString().slice(0, 10);
  const text = `${words[mood]}, ${day}`;
  const width = Math.ceil(leftWidth + text.length * letterWidth + 12);
  const label = escapeXml(`backups: ${text}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${label}">
<title>${label}</title>
<rect width="${width}" height="20" rx="3" fill="#444"/>
<path d="M${leftWidth} 0h${width - leftWidth - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H${leftWidth}z" fill="${colours[mood]}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14" textLength="${leftWidth - 12}">backups</text>
<text x="${leftWidth + 6}" y="14" textLength="${width - leftWidth - 12}">${escapeXml(text)}</text>
</g>
</svg>
`;
}
