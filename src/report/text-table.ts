/**
 * Columns of text for a terminal. Width is counted in terminal cells, so that wide letters and emoji line up;
 * the column marked as elastic is cut to fit, never an identifier. Paint comes last and does not change widths.
 */
import { oneLine } from "./escape.ts";

export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export const plainPaint: Paint = {
  good: (text) => text,
  bad: (text) => text,
  warn: (text) => text,
  dim: (text) => text,
  bold: (text) => text,
};

export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right";
  /** Cut with "…" when the line would be too long. */
  readonly elastic?: true;
}

export interface TextCell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** Lines of a table at most `columns` cells wide where the elastic columns allow it. No trailing blanks. */
export function textTable(
  head: readonly Column[],
  rows: readonly (readonly (string | TextCell)[])[],
  options: { readonly columns: number; readonly paint: Paint },
): readonly string[] {
  const cells = rows.map((row) => head.map((_, index) => toCell(row[index] ?? "")));
  const widths = head.map((column, index) =>
    Math.max(cellWidth(column.heading), ...cells.map((row) => cellWidth(row[index]?.text ?? ""))),
  );
  shrink(head, widths, options.columns);
  const render = (row: readonly TextCell[]) =>
    row
      .map(({ text, paint }, index) => {
        const width = widths[index] ?? 0;
        const shown = cut(text, width);
        const blanks = " ".repeat(Math.max(0, width - cellWidth(shown)));
        const painted = paint === undefined ? shown : paint(shown);
        if (head[index]?.align === "right") return `${blanks}${painted}`;
        return index === row.length - 1 ? painted : `${painted}${blanks}`;
      })
      .join("  ")
      .trimEnd();
  return [render(head.map((c) => ({ text: c.heading, paint: options.paint.dim }))), ...cells.map(render)];
}

function toCell(value: string | TextCell): TextCell {
  const cell = typeof value === "string" ? { text: value } : value;
  return { ...cell, text: oneLine(cell.text, 1000) };
}

function shrink(head: readonly Column[], widths: number[], columns: number): void {
  let over = widths.reduce((sum, width) => sum + width, 0) + 2 * (head.length - 1) - columns;
  for (let index = head.length - 1; index >= 0 && over > 0; index -= 1) {
    if (head[index]?.elastic !== true) continue;
    const width = widths[index] ?? 0;
    const smaller = Math.max(12, width - over);
    if (smaller >= width) continue;
    over -= width - smaller;
    widths[index] = smaller;
  }
}

/** Cells a terminal gives to the text: two for wide letters and emoji, none for marks that combine. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const letter of text) {
    if (/^[\u0020-\u007e]$/.test(letter)) width += 1;
    else if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(letter)) width += 0;
    else
      width +=
        /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]$|^[\u{20000}-\u{3fffd}]$/u.test(
          letter,
        )
          ? 2
          : 1;
  }
  return width;
}

function cut(text: string, width: number): string {
  if (cellWidth(text) <= width) return text;
  let shown = "";
  let used = 0;
  for (const letter of text) {
    const more = cellWidth(letter);
    if (used + more > width - 1) break;
    shown += letter;
    used += more;
  }
  return `${shown}…`;
}
