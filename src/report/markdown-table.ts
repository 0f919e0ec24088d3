/** Markdown tables whose cells are safe: every cell passes through `escapeMarkdown` unless it was made here. */
import { codeSpan, escapeMarkdown } from "./escape.ts";

/** A cell that is markdown already, made by this room. */
export interface Markup {
  readonly markup: string;
}

export type Cell = string | number | Markup;

export function code(text: string): Markup {
  return { markup: codeSpan(text) };
}

export function bold(text: string): Markup {
  return { markup: `**${escapeMarkdown(text)}**` };
}

/** Lines of a GitHub table; right-aligned columns have a `>` before their heading. */
export function markdownTable(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): readonly string[] {
  const names = headings.map((h) => h.replace(/^>/, ""));
  const rules = headings.map((h) => (h.startsWith(">") ? "---:" : "---"));
  return [
    `| ${names.join(" | ")} |`,
    `| ${rules.join(" | ")} |`,
    ...rows.map((row) => `| ${headings.map((_, index) => cell(row[index] ?? "")).join(" | ")} |`),
  ];
}

function cell(value: Cell): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? escapeMarkdown(value) : value.markup;
}

const mostRows = 50;

/** A long table is cut and says so; the JSON beside the report has more. `total` counts what was left out before. */
export function capped(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  total = rows.length,
): readonly string[] {
  const table = markdownTable(headings, rows.slice(0, mostRows));
  return total <= mostRows
    ? table
    : [...table, "", `… and ${total - mostRows} more, in the JSON beside this file.`];
}
