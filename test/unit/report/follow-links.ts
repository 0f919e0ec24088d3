/** Follows the links of a report's numbers into its JSON. */
import { escapeMarkdown } from "../../../src/report/escape.ts";
import { formatAge, formatBytes, formatInstant, formatSeconds } from "../../../src/report/units.ts";

/** Text, file, line and JSON pointer. */
export const linkPattern = /\[((?:\\.|[^\]\\])*)\]\(([^)\s]+)#L(\d+) "([^"]*)"\)/g;

function valueAt(json: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], json);
}

/** What the report may make of a value. */
function spellings(value: unknown, atMs: number): readonly string[] {
  if (Array.isArray(value)) return [`${value.length} `, `${value.length - 1} gap`];
  if (typeof value === "object" && value !== null) {
    const { name, detail } = value as { name?: string; detail?: string };
    return [`${name}: ${detail}`];
  }
  if (typeof value === "number")
    return [
      ...[String(value), `level ${value}`, `${value} %`, `${value * 100} %`, `${value} `],
      ...[formatSeconds(value), formatSeconds(value / 1000), formatBytes(value)],
    ];
  return [String(value), formatInstant(String(value)), formatAge(String(value), atMs)];
}

/** Undefined when the line it leads to holds the value its pointer names, and that is what its text says. */
export function faultOf(
  link: RegExpMatchArray,
  read: (file: string) => string | undefined,
  atMs: number,
): object | undefined {
  const [, text = "", file = "", line = "", pointer = ""] = link;
  const json = read(file) ?? "null";
  const value = valueAt(JSON.parse(json), pointer);
  const printed = json.split("\n")[Number(line) - 1] ?? "";
  const key = pointer.split("/").at(-1) ?? "";
  const isThere =
    (/^\d+$/.test(key) || printed.trimStart().startsWith(`${JSON.stringify(key)}: `)) &&
    (typeof value === "object" || printed.includes(JSON.stringify(value)));
  const isSaid = spellings(value, atMs).some((s) => {
    const said = escapeMarkdown(s);
    return said === text || (s.endsWith(" ") && text.startsWith(s)) || text.startsWith(`${s}s`);
  });
  return isThere && isSaid ? undefined : { text, pointer, printed };
}
