/** JSON as it was stored: numbers that JavaScript cannot hold keep their digits, keys have one order. */

/** Part of the language since ES2026; the compiler's library does not know it yet. */
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
}

const json = JSON as unknown as SourceJson;

/** @throws SyntaxError without the text in its message */
export function parseExact(text: string): unknown {
  try {
    return json.parse(text, (_key, value, { source }) =>
      typeof value === "number" && source !== undefined && String(value) !== source
        ? json.rawJSON(source)
        : value,
    );
  } catch {
    // The engine's own message quotes the text around the fault, which may be a secret.
    throw new SyntaxError("not valid JSON");
  }
}

/** One text per value: keys sorted at every depth. */
export function canonical(value: unknown): string {
  if (json.isRawJSON(value) || value === null || typeof value !== "object")
    return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}
