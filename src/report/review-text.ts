/** A review for the terminal: the verdict, then what changes, policy by policy. */
import { breachesOf, type Figures } from "../plan/outlook.ts";
import type { Review } from "../plan/review.ts";
import { oneLine } from "./escape.ts";
import type { LintPaint } from "./lint-text.ts";
import { reviewVerdict } from "./review-verdict.ts";
import { formatBytes, formatSeconds } from "./units.ts";

const mostLost = 40;

/** Without a final line feed. */
export function renderReview(
  review: Review,
  { paint }: { readonly paint: LintPaint; readonly columns: number },
): string {
  const { outlook } = review;
  const lines = [paint.bold(plain(reviewVerdict(review)))];
  if (outlook !== null) {
    for (const b of breachesOf(outlook)) {
      lines.push(`${paint.bad("breach")} ${oneLine(b.policy, 80)} from ${b.on}: ${oneLine(b.message)}`);
    }
    for (const change of outlook.changes) {
      if (change.kind === "same" && change.lost.length === 0) continue;
      lines.push(`${paint.bold(oneLine(change.policy, 80))} (${change.kind})`);
      if (change.before !== null) lines.push(`  before  ${figures(change.before)}`);
      if (change.after !== null) lines.push(`  after   ${figures(change.after)}`);
      for (const p of change.lost.slice(0, mostLost)) {
        lines.push(`  ${paint.bad("lost")} ${p.id} on ${p.lostOn}${p.proven ? ", proved" : ""}`);
      }
      if (change.lost.length > mostLost) lines.push(`  … and ${change.lost.length - mostLost} more`);
    }
  }
  for (const [word, keys] of Object.entries(review.jobs)) {
    for (const key of keys) lines.push(`job ${word} ${oneLine(key, 120)}`);
  }
  for (const note of review.notes) lines.push(`${oneLine(note.policy, 80)}: ${oneLine(note.message)}`);
  const { error, warning } = review.findingCounts;
  if (error + warning > 0) lines.push(`lint: ${error} errors, ${warning} warnings`);
  lines.push(paint.dim(`hash ${review.hash}`), paint.dim(`again: ${review.command}`));
  return lines.join("\n");
}

/** The verdict is markdown; a terminal shows its words only. */
function plain(markdown: string): string {
  return markdown
    .replaceAll("**", "")
    .replace(/<\/?code>|`/g, "'")
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

function figures(f: Figures): string {
  const days = (ms: number) => `${Math.floor(ms / 86_400_000)} d`;
  const loss = f.lossMs === null ? "unbounded" : formatSeconds(f.lossMs / 1000);
  return `rpo ${loss}, reach ${days(f.reachMs)}, window ${days(f.windowMs)}, ${f.points} points, ${formatBytes(f.sizeBytes)}, ${f.costPerMonth.toFixed(2)} a month`;
}
