/**
 * Links from a number of the report to the line of its JSON that holds the same number. GitHub marks the line
 * `#L12` of a file it shows; the link's title is the JSON pointer (RFC 6901), for whoever reads with a program.
 */
import { escapeMarkdown } from "./escape.ts";
import type { Markup } from "./markdown-table.ts";

export interface Evidence {
  /** `text` as a link to what `pointer` points at; plain where there is no such value. */
  link(text: string | number, pointer: string): Markup;
}

/** @param json the text as `JSON.stringify(…, null, 2)` prints it; lines added after its last member move nothing */
export function openEvidence(json: string, file: string): Evidence {
  const facts: unknown = JSON.parse(json);
  const known = new Map<object, number>();
  return {
    link: (text, pointer) => {
      const shown = escapeMarkdown(String(text));
      const line = lineOf(facts, pointer, known);
      return { markup: line === undefined ? shown : `[${shown}](${file}#L${line} "${pointer}")` };
    },
  };
}

/** Line of the value at `pointer`, the first is 1; undefined when it is not there. */
function lineOf(facts: unknown, pointer: string, known: Map<object, number>): number | undefined {
  let line = 1;
  let value = facts;
  for (const part of pointer.split("/").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    let at = line + 1;
    let found: { readonly value: unknown } | undefined;
    for (const [key, member] of Object.entries(value)) {
      if (key === part) {
        found = { value: member };
        break;
      }
      at += linesOf(member, known);
    }
    if (found === undefined) return undefined;
    line = at;
    value = found.value;
  }
  return line;
}

function linesOf(value: unknown, known: Map<object, number>): number {
  if (typeof value !== "object" || value === null) return 1;
  const counted = known.get(value);
  if (counted !== undefined) return counted;
  const members = Object.values(value);
  const lines = members.length === 0 ? 1 : members.reduce((sum, m) => sum + linesOf(m, known), 2);
  known.set(value, lines);
  return lines;
}
