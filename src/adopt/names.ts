/** Names that are valid, and that nobody has yet. */
const longestName = 50;

/** Gives out names; those given to it at first are taken. */
export class Names {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** The first of the candidates that is free, made valid; then the last of them with a number. */
  take(...candidates: readonly string[]): string {
    const valid = candidates.map(validName);
    for (const name of valid) if (!this.#taken.has(name)) return this.#give(name);
    const last = valid.at(-1) ?? validName("");
    for (let n = 2; ; n += 1) if (!this.#taken.has(`${last}-${n}`)) return this.#give(`${last}-${n}`);
  }

  #give(name: string): string {
    this.#taken.add(name);
    return name;
  }
}

/** Lower-case letters, digits and dashes; `adopted` for a text that has none. */
export function validName(text: string): string {
  const name = text
    .slice(0, 1000)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, longestName)
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "adopted" : name;
}
