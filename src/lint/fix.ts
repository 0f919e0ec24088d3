/** Edits by range: nothing outside the ranges changes, no line is formatted anew. */
import type { Fix } from "../finding.ts";

export interface Mended {
  readonly text: string;
  readonly count: number;
}

/** The text with every fix in it; of two that overlap the first is taken. Ranges count from 1, in UTF-16 units. */
export function mend(text: string, fixes: readonly Fix[]): Mended {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const offset = (line: number, column: number): number => (starts[line - 1] ?? text.length) + column - 1;
  const edits = fixes
    .map(({ location, text: replacement }) => ({
      from: offset(location.line, location.column),
      to: offset(location.endLine, location.endColumn),
      replacement,
    }))
    .filter(({ from, to }) => from < to && to <= text.length)
    .sort((a, b) => a.from - b.from);
  let mended = "";
  let done = 0;
  let count = 0;
  for (const { from, to, replacement } of edits) {
    if (from < done) continue;
    mended += text.slice(done, from) + replacement;
    done = to;
    count += 1;
  }
  return { text: mended + text.slice(done), count };
}
