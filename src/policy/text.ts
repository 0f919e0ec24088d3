/** From bytes to text: what is refused before any parser sees it, and which texts the fast parser may have. */
import type { Finding, Location } from "../finding.ts";
import type { PolicyFile } from "./model.ts";

export const maxFileBytes = 1024 * 1024;
export const maxFiles = 50_000;
export const maxDepth = 64;
const maxLines = 20_000;

/** A place by offset, counted from 1 as editors do. */
export function locationAt(file: string, text: string, from: number, to = from + 1): Location {
  const place = (offset: number) => {
    const before = text.slice(0, offset);
    const line = before.split("\n").length;
    return { line, column: offset - (before.lastIndexOf("\n") + 1) + 1 };
  };
  const start = place(from);
  const end = place(to);
  return { file, line: start.line, column: start.column, endLine: end.line, endColumn: end.column };
}

const refused =
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)/;

export type Decoded = { readonly text: string } | { readonly finding: Finding };

/** The file's text, or why it is not read. A UTF-8 byte order mark is dropped. */
export function decode(file: PolicyFile): Decoded {
  const fault = (rule: string, message: string, hint: string, text = "", at = 0): Decoded => ({
    finding: {
      rule,
      severity: "error",
      location: locationAt(file.path, text, at),
      message,
      hint,
    },
  });
  const { bytes } = file;
  if (bytes.length > maxFileBytes) {
    return fault(
      "yaml/too-large",
      `the file has ${bytes.length} bytes, at most ${maxFileBytes} are read`,
      "split it",
    );
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return fault("yaml/encoding", "the file is UTF-16", "save it as UTF-8");
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const lenient = new TextDecoder("utf-8").decode(bytes);
    const at = Math.max(0, lenient.indexOf("\ufffd"));
    return fault("yaml/encoding", "the file is not valid UTF-8", "save it as UTF-8", lenient, at);
  }
  const control = refused.exec(text);
  if (control !== null) {
    const code = (control[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return fault(
      "yaml/control-character",
      `an invisible control character U+${code} stands here`,
      "remove it; such characters can make a file read differently than it looks",
      text,
      control.index,
    );
  }
  if (text.length > maxLines && (text.match(/\n/g)?.length ?? 0) > maxLines) {
    return fault("yaml/too-large", `the file has more than ${maxLines} lines`, "split it");
  }
  const deep = tooDeep(text);
  if (deep >= 0) {
    return fault(
      "yaml/too-deep",
      `more than ${maxDepth} levels of nesting`,
      "a policy needs fewer than ten",
      text,
      deep,
    );
  }
  return { text };
}

/** Offset where brackets or dashes nest beyond the limit, or -1. Parsers recurse, so this comes before them. */
function tooDeep(text: string): number {
  const dashes = /(?:[-?:] +){64}/.exec(text);
  if (dashes !== null) return dashes.index;
  const indent = /^ {1000}/m.exec(text);
  if (indent !== null) return indent.index;
  let open = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 91 || code === 123) {
      open += 1;
      if (open > maxDepth) return i;
    } else if ((code === 93 || code === 125) && open > 0) open -= 1;
  }
  return -1;
}

// Line by line the plain block style that every YAML reader takes the same way: no anchors, tags, merges,
// escapes, tabs, block scalars or values over several lines. Anything else goes to the careful reader.
const quoted = String.raw`"[^"\\\n]*"|'[^'\n]*'`;
const flow = String.raw`[[{][^\n#&!|>%@\x60?\\\t]*[\]}]`;
const plain = String.raw`[A-Za-z0-9/.~_(](?:[^\n\r\t:# ]|:(?=[^\s])|(?<=[^\s])#| (?! *(?:#|\r?\n|$)))*`;
const value = `(?:${quoted}|${flow}|${plain})`;
const line = String.raw` *(?:(?:- +)*(?:[A-Za-z][\w-]*:(?: +${value})?)|(?:- +)+${value}|---)? *(?:(?<=^| )#[^\n\t]*)?\r?`;
const simpleLine = new RegExp(`${line}(?:\\n|$)`, "my");
// Numbers that readers take differently, names with a meaning in JavaScript, and odd starts of a value.
const doubtful =
  /(?:^|[\s,[{]|["']:)[-+]?(?:0[\d_]+|0[xob][\da-f_]+|\d[\d.]*_[\d_.]*)(?=[\s,\]}]|$)|__proto__|constructor|prototype|<<|[[,{] *[*?:-]/im;

const wide = " ".repeat(200);

/** Whether the fast parser certainly reads the text as the careful one does. */
export function isPlain(text: string): boolean {
  // Long runs of blanks would make the pattern look ahead again and again.
  if (text.includes(wide) || doubtful.test(text)) return false;
  simpleLine.lastIndex = 0;
  while (simpleLine.lastIndex < text.length) if (!simpleLine.test(text)) return false;
  return true;
}
