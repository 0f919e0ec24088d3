/**
 * Secret values are remembered when they are read, and `redact` takes them out of any text by value at the
 * last line before output. Nothing here knows where a text goes.
 */

const remembered = new Set<string>();
let pattern: RegExp | undefined;

/** Forms in which a value may turn up in a tool's output: as it is, in a URL, in a JSON string. */
function forms(value: string): readonly string[] {
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
}

/** From now on `redact` replaces `value`. Values under four characters are ignored: they would hit words. */
export function rememberSecret(value: string): void {
  for (const form of [...forms(value), ...value.split("\n").flatMap((line) => forms(line.trim()))]) {
    if (form.length < 4 || remembered.has(form)) continue;
    remembered.add(form);
    pattern = undefined;
  }
}

function currentPattern(): RegExp {
  if (pattern === undefined) {
    // Longest first, so that a secret that contains another one leaves no tail behind.
    const sorted = [...remembered].sort((a, b) => b.length - a.length);
    pattern = new RegExp(sorted.map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
  }
  return pattern;
}

/** `text` with every remembered secret and every age secret key replaced by `[redacted]`. */
export function redact(text: string): string {
  const known = remembered.size === 0 ? text : text.replace(currentPattern(), "[redacted]");
  return known
    .replace(/AGE-SECRET-KEY-1[0-9A-Z]+/gi, "[redacted]")
    .replace(/(:\/\/[^/\s:@]+:)[^/\s@]+@/g, "$1[redacted]@");
}
