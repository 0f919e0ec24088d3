/** Findings for the summary page of a job: all that the annotations have no room for, up to the page's own limit. */
import type { Severity } from "../finding.ts";
import { codeSpan, escapeMarkdown } from "./escape.ts";
import type { ShownLint } from "./lint-text.ts";
import { markdownTable } from "./markdown-table.ts";
import { count } from "./units.ts";

/** GitHub takes 1 MiB per step; a row is at most about 1,500 bytes. */
const mostRows = 500;

/** Markdown, errors first, ending in a line feed. */
export function lintSummary({ findings, waived }: ShownLint, filesCount: number): string {
  const order: readonly Severity[] = ["error", "warning", "info"];
  const sorted = order.flatMap((severity) => findings.filter((f) => f.severity === severity));
  const sums = order.map((severity) => sorted.filter((f) => f.severity === severity).length);
  const accepted = waived.length > 0 ? `, ${waived.length} accepted` : "";
  const head = `### Lint: ${count(filesCount, "file")}, ${count(sums[0] ?? 0, "error")}, ${count(sums[1] ?? 0, "warning")}, ${sums[2] ?? 0} info${accepted}`;
  if (sorted.length === 0) return `${head}\n`;
  const rows = sorted
    .slice(0, mostRows)
    .map(({ rule, severity, location, message, hint }) => [
      severity,
      { markup: codeSpan(rule, 60) },
      { markup: codeSpan(`${location.file}:${location.line}:${location.column}`, 120) },
      { markup: `${escapeMarkdown(message, 300)}<br>${escapeMarkdown(hint, 300)}` },
    ]);
  const rest =
    sorted.length > mostRows ? ["", `… and ${sorted.length - mostRows} more; holdfast lint shows them.`] : [];
  return [head, "", ...markdownTable(["Severity", "Rule", "Place", "Finding"], rows), ...rest, ""].join("\n");
}
