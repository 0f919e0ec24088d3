/**
 * The quick way from files to a policy set, for files with nothing unusual and nothing wrong: no parser that knows
 * places, no compiler of schemas. Every run of a verb begins with it and pays for what it loads.
 */
import { CORE_SCHEMA, loadAll } from "js-yaml";
import { formatChecks } from "./formats.ts";
import { type DocumentKind, documentKinds, type PolicyFile, type PolicySet } from "./model.ts";
import { quickChecks } from "./quick-checks.mjs";
import { resolve } from "./resolve.ts";
import { decode, isPlain, locationAt, maxFiles } from "./text.ts";
import type { Entry } from "./yaml-shapes.ts";

export interface PlainDocument {
  readonly kind: DocumentKind;
  readonly value: Readonly<Record<string, unknown>>;
}

const isValid = quickChecks(formatChecks);

/** The documents of a text, each right by its schema; undefined when anything at all is not as it should be. */
export function plainDocuments(text: string): readonly PlainDocument[] | undefined {
  if (!isPlain(text)) return undefined;
  let values: unknown[];
  try {
    values = loadAll(text, null, { schema: CORE_SCHEMA }) as unknown[];
  } catch {
    return undefined;
  }
  if (values.length === 0) return undefined;
  const documents: PlainDocument[] = [];
  for (const value of values) {
    const kind = kindOf(value);
    if (kind === undefined || !isValid[kind](value)) return undefined;
    documents.push({ kind, value: value as Record<string, unknown> });
  }
  return documents;
}

function kindOf(value: unknown): DocumentKind | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { kind } = value as { kind?: unknown };
  return (documentKinds as readonly unknown[]).includes(kind) ? (kind as DocumentKind) : undefined;
}

/**
 * What `readPolicySet` reads from files in which it finds nothing to complain about; undefined where it might. The
 * place of a waiver is the beginning of its file.
 */
export function readPlainSet(files: readonly PolicyFile[]): PolicySet | undefined {
  if (files.length > maxFiles) return undefined;
  const entries: Entry[] = [];
  const names = new Set<string>();
  for (const file of files) {
    const decoded = decode(file);
    const documents = "text" in decoded ? plainDocuments(decoded.text) : undefined;
    if (documents === undefined) return undefined;
    for (const [index, { kind, value }] of documents.entries()) {
      const { name } = value["metadata"] as { name: string };
      if (names.has(`${kind}/${name}`)) return undefined;
      names.add(`${kind}/${name}`);
      entries.push({ kind, name, file: file.path, index, value });
    }
  }
  let isWhole = true;
  const set = resolve(entries, {
    place: (entry) => locationAt(entry.file, "", 0),
    isBroken: () => false,
    fault: () => {
      isWhole = false;
    },
  });
  return isWhole ? set : undefined;
}
