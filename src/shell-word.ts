/** Text for a person's shell. Programs are never started through one. */

/** In quotes, whatever it is. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One word for a shell; what needs no quotes has none. */
export function shellWord(text: string): string {
  return /^[\w./:@%^+-][\w./:@%^~+-]*$/.test(text) ? text : shellQuote(text);
}
