/**
 * The careful YAML reader: slow, with a place for every node, and strict about what a policy file may use.
 * YAML 1.2 core only: `yes` is text, and anchors are few and never nested into bombs.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
} from "yaml";
import type { Finding, Location } from "../finding.ts";
import type { YamlPath } from "./model.ts";
import { locationAt, maxDepth } from "./text.ts";

export const maxDocuments = 500;
const maxAliases = 100;
const maxExpandedNodes = 200_000;
const coreTags = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((t) => `tag:yaml.org,2002:${t}`),
);
const reserved = new Set(["__proto__", "constructor", "prototype"]);

export interface CarefulDocument {
  /** Plain value; undefined for an empty document. */
  readonly value: unknown;
  /** False when the document itself could not be read whole. */
  readonly sound: boolean;
  readonly locate: (path: YamlPath, atKey?: boolean) => Location;
}

export interface CarefulReading {
  readonly documents: readonly CarefulDocument[];
  readonly findings: readonly Finding[];
}

/** Reads every document of a text. Never throws: what cannot be read is a finding. */
export function readCarefully(file: string, text: string): CarefulReading {
  const findings: Finding[] = [];
  try {
    const lines = new LineCounter();
    const parsed = parseAllDocuments(text, {
      version: "1.2",
      schema: "core",
      merge: false,
      // The package's own check is quadratic; the walk below has a set per map.
      uniqueKeys: false,
      strict: true,
      prettyErrors: false,
      logLevel: "silent",
      lineCounter: lines,
    });
    const documents = "empty" in parsed ? [] : (parsed as unknown as Document.Parsed[]);
    if (documents.length > maxDocuments) {
      findings.push({
        rule: "yaml/too-large",
        severity: "error",
        location: locationAt(file, text, 0),
        message: `${documents.length} documents in one file, at most ${maxDocuments} are read`,
        hint: "split it",
      });
      return { documents: [], findings };
    }
    return { documents: documents.map((d) => new Walk(file, text, lines, d, findings).read()), findings };
  } catch (error) {
    const deep = error instanceof RangeError;
    findings.push({
      rule: deep ? "yaml/too-deep" : "yaml/syntax",
      severity: "error",
      location: locationAt(file, text, 0),
      message: deep ? "the nesting is too deep to be read" : "the file cannot be read as YAML",
      hint: "write plain block style",
    });
    return { documents: [], findings };
  }
}

class Walk {
  readonly #file: string;
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #document: Document.Parsed;
  readonly #findings: Finding[];
  #sound = true;
  #nodes = 0;
  #aliases = 0;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();

  constructor(
    file: string,
    text: string,
    lines: LineCounter,
    document: Document.Parsed,
    findings: Finding[],
  ) {
    this.#file = file;
    this.#text = text;
    this.#lines = lines;
    this.#document = document;
    this.#findings = findings;
  }

  read(): CarefulDocument {
    const error = this.#document.errors[0];
    const locate = (path: YamlPath, atKey = false) => this.#locate(path, atKey);
    if (error !== undefined) {
      const [rule, message, hint] = describe(error.code, error.message);
      this.#fault(rule, error.pos[0], error.pos[1], message, hint);
      return { value: undefined, sound: false, locate };
    }
    const contents = this.#document.contents as Node | null;
    const empty =
      contents === null || (isScalar(contents) && contents.value === null && contents.source === "");
    const value = empty ? undefined : this.#value(contents, 0);
    return { value, sound: this.#sound, locate };
  }

  #place(from: number, to: number): Location {
    const start = this.#lines.linePos(Math.min(from, this.#text.length));
    const end = this.#lines.linePos(Math.min(Math.max(to, from), this.#text.length));
    return {
      file: this.#file,
      line: Math.max(1, start.line),
      column: Math.max(1, start.col),
      endLine: Math.max(1, end.line),
      endColumn: Math.max(1, end.col),
    };
  }

  #fault(rule: string, from: number, to: number, message: string, hint: string): void {
    this.#sound = false;
    // A hostile file may have a fault per byte; nobody reads more than a few.
    if (this.#findings.length < 50) {
      this.#findings.push({ rule, severity: "error", location: this.#place(from, to), message, hint });
    }
  }

  #value(node: Node | null, depth: number): unknown {
    this.#nodes += 1;
    if (node === null) return null;
    const [from = 0, to = 0] = node.range ?? [];
    if (this.#nodes > maxExpandedNodes) {
      if (this.#nodes === maxExpandedNodes + 1) {
        this.#fault(
          this.#aliases > 0 ? "yaml/alias-bomb" : "yaml/too-large",
          from,
          to,
          `more than ${maxExpandedNodes} values, aliases followed`,
          "write the values out",
        );
      }
      return null;
    }
    if (depth > maxDepth) {
      this.#fault(
        "yaml/too-deep",
        from,
        to,
        `more than ${maxDepth} levels of nesting`,
        "a policy needs fewer than ten",
      );
      return null;
    }
    if (isAlias(node)) return this.#alias(node, node.source, depth);
    const { tag, anchor } = node as { tag?: string; anchor?: string };
    if (tag !== undefined && !coreTags.has(tag)) {
      this.#fault(
        "yaml/tag",
        from,
        to,
        `the tag '${tag.replace("tag:yaml.org,2002:", "!!").slice(0, 60)}' is not read`,
        "write a plain value",
      );
      return null;
    }
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    if (isScalar(node)) return typeof node.value === "bigint" ? Number(node.value) : node.value;
    this.#open.add(node);
    let value: unknown = null;
    if (isSeq(node)) value = node.items.map((item) => this.#value(item as Node | null, depth + 1));
    else if (isMap(node)) value = this.#map(node.items as Pair<Node, Node | null>[], depth);
    this.#open.delete(node);
    return value;
  }

  #alias(node: Node, name: string, depth: number): unknown {
    const [from = 0, to = 0] = node.range ?? [];
    this.#aliases += 1;
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#fault(
        "yaml/alias",
        from,
        to,
        `there is no anchor '&${name}' before this alias`,
        "quote the value if it is meant as text",
      );
    } else if (this.#open.has(target)) {
      this.#fault(
        "yaml/alias-bomb",
        from,
        to,
        `the anchor '&${name}' contains itself`,
        "write the values out",
      );
    } else if (this.#aliases > maxAliases) {
      if (this.#aliases === maxAliases + 1) {
        this.#fault(
          "yaml/alias-bomb",
          from,
          to,
          `more than ${maxAliases} aliases in one document`,
          "write the values out",
        );
      }
    } else return this.#value(target, depth);
    return null;
  }

  #map(pairs: readonly Pair<Node, Node | null>[], depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const pair of pairs) {
      const [from = 0, to = 0] = pair.key?.range ?? [];
      if (!isScalar(pair.key)) {
        this.#fault("yaml/key", from, to, "a key that is no plain word", "write a name before the colon");
        continue;
      }
      const key = String((pair.key as Scalar).value);
      if (key === "<<") {
        this.#fault("yaml/merge-key", from, to, "merge keys are no part of YAML 1.2", "write the fields out");
      } else if (reserved.has(key)) {
        this.#fault("yaml/reserved-name", from, to, `'${key}' cannot be a key`, "take another name");
      } else if (seen.has(key)) {
        this.#fault(
          "yaml/duplicate-key",
          from,
          to,
          `'${key.slice(0, 60)}' stands here a second time`,
          "readers differ on which one counts; keep one",
        );
      } else {
        seen.add(key);
        result[key] = this.#value(pair.value, depth + 1);
      }
    }
    return result;
  }

  /** Scalars by their own range, collections by their key; where the path ends early, what is there of it. */
  #locate(path: YamlPath, atKey: boolean): Location {
    let node = this.#document.contents as Node | null;
    let key: Node | undefined;
    let complete = true;
    for (const step of path) {
      let pair: { key?: Node; value: Node | null } | undefined;
      if (isMap(node)) {
        const found = (node.items as Pair<Node, Node | null>[]).find(
          (p) => isScalar(p.key) && String(p.key.value) === String(step),
        );
        if (found !== undefined) pair = { key: found.key, value: found.value };
      } else if (isSeq(node) && typeof step === "number") {
        const item = node.items[step] as Node | undefined;
        if (item !== undefined) pair = { value: item };
      }
      if (pair === undefined) {
        complete = false;
        break;
      }
      if (pair.key !== undefined) key = pair.key;
      else if (isMap(pair.value)) key = (pair.value.items[0]?.key as Node | undefined) ?? key;
      else key = pair.value ?? key;
      node = pair.value;
    }
    if (path.length === 0 && isMap(node)) key = node.items[0]?.key as Node | undefined;
    const scalar =
      complete &&
      !atKey &&
      (isScalar(node) || isAlias(node)) &&
      (node.range?.[1] ?? 0) > (node.range?.[0] ?? 0);
    const chosen = scalar ? node : (key ?? node);
    const [from, to] = chosen?.range ?? this.#document.range;
    return this.#place(from, to > from ? to : from + 1);
  }
}

function describe(code: string, message: string): readonly [rule: string, message: string, hint: string] {
  const sentence = message.split("\n")[0]?.slice(0, 160).replace(/\.$/, "") ?? "";
  const text = sentence.charAt(0).toLowerCase() + sentence.slice(1);
  if (code === "TAB_AS_INDENT") return ["yaml/tab", "a tab is used for indentation", "indent with spaces"];
  if (code === "BAD_ALIAS") return ["yaml/alias", text, "quote the value if it is meant as text"];
  if (code.includes("TAG")) return ["yaml/tag", text, "write a plain value"];
  return ["yaml/syntax", text, "look at the indentation, quotes and brackets here and in the line above"];
}
