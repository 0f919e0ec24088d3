/**
 * From files to a policy set. Most files are plain and right: they go through the fast parser and a yes-or-no
 * schema check. Only a file with something unusual or wrong, or one that a rule complains about, is read a
 * second time by the careful parser that knows the place of every node.
 */
import type { Finding, Location } from "../finding.ts";
import { type CarefulDocument, type CarefulReading, readCarefully } from "./careful.ts";
import {
  apiVersion,
  type DocumentKind,
  documentKinds,
  type PolicyFile,
  type PolicySet,
  type YamlPath,
} from "./model.ts";
import { suggest } from "./nearest.ts";
import { plainDocuments } from "./plain.ts";
import { resolve } from "./resolve.ts";
import { type SchemaFaults, type SchemaSet, schemaFaults } from "./schemas.ts";
import { decode, locationAt, maxFiles } from "./text.ts";
import type { Entry } from "./yaml-shapes.ts";

export interface PolicyReading {
  /** What the sound documents say; a policy with a fault is left out, the others stay. */
  readonly set: PolicySet;
  /** Faults of YAML, schema and references, in the order of files and lines. */
  readonly findings: readonly Finding[];
  /** The place of a path in a document; the nearest enclosing place where the path does not exist. */
  readonly locate: (
    document: { readonly kind: string; readonly name: string },
    path: YamlPath,
    atKey?: boolean,
  ) => Location;
  /** The sound documents as they stand, in the order of files. */
  readonly entries: readonly Entry[];
  /** Text by file, for code frames. */
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * Reads, checks and resolves all files. Never throws for anything a file contains; time and memory are
 * bounded by the caps in `text.ts` and `careful.ts`.
 */
export function readPolicySet(files: readonly PolicyFile[], schemas: SchemaSet): PolicyReading {
  const reader = new Reader(schemaFaults(schemas));
  for (const file of files.slice(0, maxFiles)) reader.read(file);
  const first = files[maxFiles];
  if (first !== undefined) {
    reader.findings.push({
      rule: "yaml/too-large",
      severity: "error",
      location: locationAt(first.path, "", 0),
      message: `${files.length} files, at most ${maxFiles} are read`,
      hint: "name a folder that holds policies only",
    });
  }
  return reader.finish();
}

class Reader {
  readonly findings: Finding[] = [];
  readonly #schemaFaults: SchemaFaults;
  readonly #texts = new Map<string, string>();
  readonly #entries: Entry[] = [];
  readonly #byName = new Map<string, Entry>();
  readonly #careful = new Map<string, CarefulReading>();
  /** Kinds of which some document could not be read, so that a missing name is no second finding. */
  readonly #broken = new Set<DocumentKind>();

  constructor(faults: SchemaFaults) {
    this.#schemaFaults = faults;
  }

  read(file: PolicyFile): void {
    const decoded = decode(file);
    if ("finding" in decoded) {
      this.findings.push(decoded.finding);
      this.#breakAll();
      return;
    }
    this.#texts.set(file.path, decoded.text);
    if (!this.#readFast(file.path, decoded.text)) this.#readCarefully(file.path, decoded.text);
  }

  /** False when anything at all is not as it should be; nothing has been kept then. */
  #readFast(file: string, text: string): boolean {
    const documents = plainDocuments(text);
    documents?.forEach(({ value }, index) => {
      this.#keep(file, index, value);
    });
    return documents !== undefined;
  }

  #readCarefully(file: string, text: string): void {
    const reading = this.#carefulReading(file, text);
    this.findings.push(...reading.findings);
    if (reading.findings.length > 0) this.#breakAll();
    const filled = reading.documents.filter((d) => d.value !== undefined || !d.sound);
    if (filled.length === 0 && reading.findings.length === 0) {
      this.#fault(
        "yaml/empty",
        locationAt(file, text, 0),
        "the file holds no document",
        "remove it or write one",
        "warning",
      );
    }
    reading.documents.forEach((document, index) => {
      if (document.sound && document.value !== undefined) this.#check(file, index, document);
    });
  }

  #check(file: string, index: number, document: CarefulDocument): void {
    const { value, locate } = document;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#breakAll();
      this.#fault(
        "yaml/not-a-map",
        locate([]),
        "the document is no map",
        "begin with apiVersion, kind and metadata",
      );
      return;
    }
    const fields = value as Record<string, unknown>;
    const { kind, apiVersion: version } = fields;
    if (!(documentKinds as readonly unknown[]).includes(kind)) {
      this.#breakAll();
      const message =
        kind === undefined
          ? "the document has no kind"
          : `'${String(kind).slice(0, 60)}' is no kind of document`;
      const hint =
        typeof kind === "string" ? suggest(kind, documentKinds) : `one of ${documentKinds.join(", ")}`;
      this.#fault("schema/kind", locate(kind === undefined ? [] : ["kind"]), message, hint);
      return;
    }
    if (version !== apiVersion) {
      this.#broken.add(kind as DocumentKind);
      const message =
        version === undefined
          ? "the document has no apiVersion"
          : `'${String(version).slice(0, 60)}' is no version this program reads`;
      this.#fault(
        "schema/api-version",
        locate(version === undefined ? [] : ["apiVersion"]),
        message,
        `write apiVersion: ${apiVersion}`,
      );
      return;
    }
    const faults = this.#schemaFaults(kind as DocumentKind, value);
    // A file may be wrong everywhere; nobody reads more than these.
    for (const { rule, path, atKey, message, hint, replacement } of faults.slice(0, 100)) {
      const location = locate(path, atKey);
      const fix = replacement === undefined ? {} : { fix: { location, text: replacement } };
      this.findings.push({ rule, severity: "error", location, message, hint, ...fix });
    }
    if (faults.length > 0) this.#broken.add(kind as DocumentKind);
    else this.#keep(file, index, fields);
  }

  #keep(file: string, index: number, value: Readonly<Record<string, unknown>>): void {
    const kind = value["kind"] as DocumentKind;
    const { name } = value["metadata"] as { name: string };
    const entry: Entry = { kind, name, file, index, value };
    const key = `${kind}/${name}`;
    const first = this.#byName.get(key);
    if (first !== undefined) {
      const message = `a second ${kind} is called '${name}'; the first is in ${first.file}`;
      this.#fault(
        "reference/duplicate",
        this.#place(entry, ["metadata", "name"]),
        message,
        "give one of them another name",
      );
      return;
    }
    this.#byName.set(key, entry);
    this.#entries.push(entry);
  }

  finish(): PolicyReading {
    const place = (entry: Entry, path: YamlPath, atKey?: boolean) => this.#place(entry, path, atKey);
    const set = resolve(this.#entries, {
      place,
      isBroken: (kind) => this.#broken.has(kind),
      fault: (entry, path, rule, message, hint) => this.#fault(rule, place(entry, path), message, hint),
    });
    return {
      set,
      findings: this.findings.sort(
        (a, b) =>
          (a.location.file < b.location.file ? -1 : a.location.file > b.location.file ? 1 : 0) ||
          a.location.line - b.location.line ||
          a.location.column - b.location.column,
      ),
      locate: (document, path, atKey) => {
        const entry = this.#byName.get(`${document.kind}/${document.name}`);
        if (entry !== undefined) return this.#place(entry, path, atKey);
        return locationAt(this.#entries[0]?.file ?? [...this.#texts.keys()][0] ?? "", "", 0);
      },
      entries: this.#entries,
      texts: this.#texts,
    };
  }

  #place(entry: Entry, path: YamlPath, atKey?: boolean): Location {
    const text = this.#texts.get(entry.file) ?? "";
    const document = this.#carefulReading(entry.file, text).documents[entry.index];
    return document?.locate(path, atKey) ?? locationAt(entry.file, text, 0);
  }

  #carefulReading(file: string, text: string): CarefulReading {
    const known = this.#careful.get(file);
    if (known !== undefined) return known;
    // Trees are a hundred times their text; findings come file by file, so few of them are enough.
    if (this.#careful.size >= 256) this.#careful.clear();
    const reading = readCarefully(file, text);
    this.#careful.set(file, reading);
    return reading;
  }

  #breakAll(): void {
    for (const kind of documentKinds) this.#broken.add(kind);
  }

  #fault(
    rule: string,
    location: Location,
    message: string,
    hint: string,
    severity: Finding["severity"] = "error",
  ): void {
    this.findings.push({ rule, severity, location, message, hint });
  }
}
