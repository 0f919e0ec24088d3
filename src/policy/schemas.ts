/**
 * What is wrong with a document, by the schema of its kind: every fault with its path. Whether anything is wrong at
 * all, `quick-checks.mjs` says. The texts of the schemas come in as values, because this room reads no files.
 */
import {
  _,
  Ajv,
  type Code,
  type ErrorObject,
  type KeywordCxt,
  type Options,
  type ValidateFunction,
} from "ajv";
import { parseCron } from "../time/cron.ts";
import { formatChecks, formats } from "./formats.ts";
import type { DocumentKind, YamlPath } from "./model.ts";
import { nearest, suggest } from "./nearest.ts";

export type SchemaSet = Readonly<Record<DocumentKind, object>>;

export interface SchemaFault {
  readonly rule: string;
  readonly path: YamlPath;
  readonly atKey: boolean;
  readonly message: string;
  readonly hint: string;
  /** What belongs in the place pointed at, where that is certain enough to be written by a program. */
  readonly replacement?: string;
}

/** Every fault, one per place. */
export type SchemaFaults = (kind: DocumentKind, value: unknown) => readonly SchemaFault[];

/** A compiler that knows our formats and our two keywords. */
export function schemaCompiler(options: Options): Ajv {
  const ajv = new Ajv(options);
  for (const [name, check] of Object.entries(formatChecks)) ajv.addFormat(name, check);
  keyword(ajv, "exactlyOneOf", (here) => _`${here} !== 1`);
  keyword(ajv, "notHere", (here) => _`${here} > 0`);
  return ajv;
}

/** @param isWrong of how many of the keyword's names the object has */
function keyword(ajv: Ajv, name: string, isWrong: (count: Code) => Code): void {
  const code = (cxt: KeywordCxt): void => {
    const each = (cxt.schema as readonly string[]).map((key) => _`Object.hasOwn(${cxt.data}, ${key})`);
    cxt.fail(isWrong(each.reduce((sum, one) => _`${sum} + ${one}`, _`0`)));
  };
  ajv.addKeyword({ keyword: name, type: "object", schemaType: "array", code });
}

const compiled = new WeakMap<SchemaSet, SchemaFaults>();

/** Each schema of the set is compiled at its first use, and never twice. */
export function schemaFaults(schemas: SchemaSet): SchemaFaults {
  const before = compiled.get(schemas);
  if (before !== undefined) return before;
  const known = new Map<DocumentKind, ValidateFunction>();
  let ajv: Ajv | undefined;
  const faults: SchemaFaults = (kind, value) => {
    ajv ??= schemaCompiler({
      allErrors: true,
      verbose: true,
      strict: true,
      strictTypes: false,
      strictRequired: false,
    });
    const validate = known.get(kind) ?? ajv.compile(schemas[kind]);
    known.set(kind, validate);
    return validate(value) ? [] : describeAll(validate.errors ?? []);
  };
  compiled.set(schemas, faults);
  return faults;
}

function describeAll(errors: readonly ErrorObject[]): readonly SchemaFault[] {
  const faults = new Map<string, SchemaFault>();
  for (const error of errors) {
    if (error.keyword === "if") continue;
    // A field that does not belong here is named by itself; how many there may be comes after that.
    const misplaced = (e: ErrorObject) => e.keyword === "notHere" && e.instancePath === error.instancePath;
    if (error.keyword === "exactlyOneOf" && errors.some(misplaced)) continue;
    for (const fault of describe(error)) {
      const place = `${fault.path.join("\0")}\0${fault.atKey ? fault.message : ""}`;
      if (!faults.has(place)) faults.set(place, fault);
    }
  }
  return [...faults.values()];
}

function pathOf(error: ErrorObject): (string | number)[] {
  const steps = error.instancePath.split("/").slice(1);
  return steps.map((s) => (/^\d+$/.test(s) ? Number(s) : s.replaceAll("~1", "/").replaceAll("~0", "~")));
}

function describe(error: ErrorObject): readonly SchemaFault[] {
  const path = pathOf(error);
  const last = path.at(-1);
  const field =
    typeof last === "number" ? `entry ${last + 1} of '${path.at(-2) ?? ""}'` : `'${last ?? "document"}'`;
  const schema = (error.parentSchema ?? {}) as { properties?: object; description?: string };
  const about = schema.description ?? "";
  const one = (
    rule: string,
    message: string,
    hint: string,
    atKey = false,
    at: YamlPath = path,
  ): SchemaFault[] => [{ rule: `schema/${rule}`, path: at, atKey, message, hint }];
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties": {
      const key = String(params["additionalProperty"]);
      const known = Object.keys(schema.properties ?? {});
      const meant = nearest(key, known);
      // Beside the key that was meant it is no slip of the pen.
      const isSlip = meant !== undefined && !Object.hasOwn(error.data as object, meant);
      const message = `unknown key '${key.slice(0, 60)}' in ${field}`;
      return one("unknown-key", message, suggest(key, known), true, [...path, key]).map((fault) =>
        isSlip ? { ...fault, replacement: meant } : fault,
      );
    }
    case "notHere": {
      const here = (error.schema as string[]).filter((k) => Object.hasOwn(error.data as object, k));
      return here.flatMap((key) =>
        one(
          "unknown-key",
          `'${key}' has no meaning here in ${field}`,
          `leave '${key}' out for this kind`,
          true,
          [...path, key],
        ),
      );
    }
    case "required": {
      const key = String(params["missingProperty"]);
      const wanted = (schema.properties as Record<string, { description?: string }> | undefined)?.[key]
        ?.description;
      return one("required", `${field} lacks '${key}'`, wanted ?? `add '${key}'`, true);
    }
    case "exactlyOneOf":
      return one(
        "required",
        `${field} needs exactly one of ${(error.schema as string[]).join(", ")}`,
        "keep one of them",
        true,
      );
    case "type":
      return one(
        "type",
        `${field} must be ${article(String(params["type"]))}, it is ${kindOf(error.data)}`,
        typeHint(error.data, String(params["type"]), about),
      );
    case "format":
      return [formatFault(error, path, field)];
    case "enum":
    case "const": {
      const allowed = (params["allowedValues"] ?? [params["allowedValue"]]) as unknown[];
      return one(
        "enum",
        `${show(error.data)} is no value of ${field}`,
        suggest(String(error.data), allowed.map(String)),
      );
    }
    default:
      return one("range", `${field} ${error.message ?? "is out of range"}`, about);
  }
}

function formatFault(error: ErrorObject, path: YamlPath, field: string): SchemaFault {
  const name = String((error.params as { format: string }).format);
  const format = formats[name];
  const text = String(error.data);
  if (name === "age-recipient" && /^age-secret-key/i.test(text)) {
    const message = "a private key stands here; consider it known to everybody who can read this repository";
    return {
      rule: "schema/format",
      path,
      atKey: false,
      message,
      hint: "make a new key and put its age1… line here",
    };
  }
  const secretish = name === "http-url" || name === "age-recipient";
  const cron = name === "cron" ? parseCron(text) : undefined;
  const reason = cron !== undefined && "error" in cron ? `: ${cron.error}` : "";
  const message = secretish
    ? `${field} is no ${format?.wanted ?? name}`
    : `${show(text)} is no ${format?.wanted ?? name} for ${field}${reason}`;
  return { rule: "schema/format", path, atKey: false, message, hint: format?.hint ?? "" };
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`;
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  return article(Array.isArray(value) ? "array" : typeof value);
}

function article(type: string): string {
  const names: Readonly<Record<string, string>> = {
    string: "a text",
    number: "a number",
    integer: "a whole number",
    boolean: "true or false",
    object: "a map",
    array: "a list",
  };
  return names[type] ?? type;
}

function typeHint(value: unknown, type: string, about: string): string {
  if (type === "boolean" && typeof value === "string")
    return "YAML 1.2 reads yes, no, on and off as text; write true or false";
  if (type === "string" && (typeof value === "number" || typeof value === "boolean"))
    return `put it in quotes if it is meant. ${about}`;
  return about;
}
