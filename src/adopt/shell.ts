/**
 * The commands of a container: its own words, or those of the script it gives a shell. Only what is plain is
 * read; a word that depends on something unknown (a Secret, a substitution) says so and is never guessed.
 */
export interface Word {
  /** With `unknown` in the place of each part that is known at run time only. */
  readonly text: string;
  readonly isWhole: boolean;
}

/** Stands where something is not known; no value that is taken over may hold it. */
export const unknown = "\0";

/** Undefined for a variable whose value is not in the object. */
export type Variables = ReadonlyMap<string, string | undefined>;

export interface ShellCommand {
  readonly words: readonly Word[];
  /** Assignments in front of it, and those of `export` before. */
  readonly variables: Variables;
}

const shells = /^(?:ba|da|a|z|k)?sh$/;
const longestScript = 65_536;
const mostWords = 5000;

export function baseName(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

/** @param argv a container's command and args */
export function commandsOf(argv: readonly string[], variables: Variables): readonly ShellCommand[] {
  const words = argv.slice(0, mostWords);
  const at = words.findIndex((word) => shells.test(baseName(word)));
  const flag = words.findIndex((word, n) => n > at && /^-[a-z]*c[a-z]*$/.test(word));
  const script = flag < 0 ? undefined : words[flag + 1];
  if (at < 0 || at > 3 || script === undefined) {
    return [{ words: words.map((word) => expandBraces(word, variables)), variables }];
  }
  // Kubernetes itself has filled in `$(NAME)` before the shell sees it.
  return scriptCommands(script.slice(0, longestScript), variables);
}

function expandBraces(text: string, variables: Variables): Word {
  const expanded = text.replaceAll(
    /\$\(([A-Za-z_]\w*)\)/g,
    (_all, name: string) => variables.get(name) ?? unknown,
  );
  return { text: expanded, isWhole: !expanded.includes(unknown) };
}

function scriptCommands(script: string, outer: Variables): readonly ShellCommand[] {
  const variables = new Map(outer);
  const commands: ShellCommand[] = [];
  for (const words of split(script, variables)) {
    const first = words.findIndex((word) => !isAssignment(word) && word.text !== "export");
    const own = new Map(variables);
    for (const word of first < 0 ? words : words.slice(0, first)) {
      const [, name, value = ""] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word.text) ?? [];
      if (name === undefined) continue;
      own.set(name, word.isWhole ? value : undefined);
      // Alone on its line it holds for all that follows.
      if (first < 0 || words[0]?.text === "export") variables.set(name, word.isWhole ? value : undefined);
    }
    if (first >= 0) commands.push({ words: words.slice(first), variables: own });
  }
  return commands;
}

function isAssignment({ text }: Word): boolean {
  return /^[A-Za-z_]\w*=/.test(text);
}

/** Words of each simple command. Assignments alone on a line are seen by the lines after it. */
function* split(script: string, variables: Map<string, string | undefined>): Generator<readonly Word[]> {
  const reader = new Reader(script, variables);
  let count = 0;
  let words: Word[] = [];
  for (;;) {
    const next = reader.next();
    if (next !== "break" && next !== "end") {
      words.push(next);
      count += 1;
    }
    if ((next === "break" || next === "end") && words.length > 0) {
      yield words;
      words = [];
    }
    if (next === "end" || count >= mostWords) return;
  }
}

class Reader {
  readonly #text: string;
  readonly #variables: ReadonlyMap<string, string | undefined>;
  #at = 0;

  constructor(text: string, variables: ReadonlyMap<string, string | undefined>) {
    this.#text = text;
    this.#variables = variables;
  }

  next(): Word | "break" | "end" {
    const text = this.#text;
    while (this.#at < text.length) {
      const c = text[this.#at] ?? "";
      if (c === "\\" && text[this.#at + 1] === "\n") this.#at += 2;
      else if (c === " " || c === "\t" || c === "\r") this.#at += 1;
      else if (c === "#") this.#skipLine();
      else if (/[\n;&|(){}<>`]/.test(c)) {
        this.#at += 1;
        if (!/[<>]/.test(c)) return "break";
      } else return this.#word();
    }
    return "end";
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #word(): Word {
    const text = this.#text;
    let word = "";
    let quote = "";
    while (this.#at < text.length) {
      const c = text[this.#at] ?? "";
      if (quote === "" && /[\s;&|(){}<>`]/.test(c)) break;
      this.#at += 1;
      if (c === quote) quote = "";
      else if (quote === "" && (c === "'" || c === '"')) quote = c;
      else if (c === "\\" && quote !== "'") {
        const escaped = text[this.#at] ?? "";
        this.#at += 1;
        if (escaped !== "\n") word += escaped;
      } else if (c === "$" && quote !== "'") word += this.#dollar() ?? unknown;
      else if (c === "`") {
        const end = text.indexOf("`", this.#at);
        this.#at = end < 0 ? text.length : end + 1;
        word += unknown;
      } else word += c;
    }
    return { text: word, isWhole: !word.includes(unknown) };
  }

  /** Behind a dollar sign. Undefined for what is not known. */
  #dollar(): string | undefined {
    const rest = this.#text.slice(this.#at, this.#at + 256);
    const plain = /^(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/.exec(rest);
    if (plain !== null) {
      this.#at += plain[0].length;
      return this.#variables.get(plain[1] ?? plain[2] ?? "");
    }
    const open = rest[0];
    if (open === "(" || open === "{") this.#skipNested(open, open === "(" ? ")" : "}");
    return open === undefined || /[\s"']/.test(open) ? "$" : undefined;
  }

  #skipNested(open: string, close: string): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const c = this.#text[this.#at];
      if (c === open) depth += 1;
      else if (c === close) depth -= 1;
      if (depth === 0) {
        this.#at += 1;
        return;
      }
    }
  }
}
