/**
 * The schemas of the document kinds, compiled once: a fast yes or no, and on demand every fault with its
 * path. The texts of the schemas come in as values, because this room reads no files.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { parseSize } from "../size.ts";
import { isTimeZone, parseCron } from "../time/cron.ts";
import { parseDuration } from "../time/duration.ts";
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

export interface SchemaChecks {
  /** Cheap: stops at the first fault. */
  isValid(kind: DocumentKind, value: unknown): boolean;
  /** Every fault, one per place. */
  faults(kind: DocumentKind, value: unknown): readonly SchemaFault[];
}

interface Format {
  readonly check: (text: string) => boolean;
  /** What the value has to be, after "is no". */
  readonly wanted: string;
  readonly hint: string;
}

const bech32 = /^age1[02-9ac-hj-np-z]{58}$/;

/** Own formats; names without a meaning in JSON Schema, so that editors pass over them. */
const formats: Readonly<Record<string, Format>> = {
  "duration-text": {
    check: (t) => parseDuration(t) !== undefined,
    wanted: "duration",
    hint: "write such as 90s, 5m, 1h30m, 30d or 2w, the larger unit first",
  },
  "duration-or-forever": {
    check: (t) => t === "forever" || parseDuration(t) !== undefined,
    wanted: "duration",
    hint: "write such as 30d, or forever",
  },
  "size-text": { check: (t) => parseSize(t) !== undefined, wanted: "size", hint: "write such as 512 MiB" },
  cron: { check: (t) => !("error" in parseCron(t)), wanted: "cron line", hint: 'write such as "0 2 * * *"' },
  "time-zone": {
    check: isTimeZone,
    wanted: "time zone",
    hint: "write an IANA name such as Etc/UTC or Europe/Berlin",
  },
  name: {
    check: (t) => /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(t),
    wanted: "name",
    hint: "use lower-case letters, digits and dashes, at most 63 characters",
  },
  prefix: {
    check: (t) => t === "" || (/^(?:[A-Za-z0-9_=-][\w.=-]*\/)+$/.test(t) && t.length <= 200),
    wanted: "key prefix",
    hint: "write folders that end with a slash, such as postgresql/",
  },
  bucket: {
    check: (t) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(t) && !t.includes(".."),
    wanted: "bucket name",
    hint: "3 to 63 lower-case letters, digits, dots and dashes",
  },
  "absolute-path": {
    check: (t) => /^\/[^\x00-\x1f]*$/.test(t) && !/(?:^|\/)\.\.(?:\/|$)/.test(t),
    wanted: "absolute path",
    hint: "begin with a slash and leave out '..'",
  },
  "env-name": {
    check: (t) => /^[A-Za-z_]\w*$/.test(t),
    wanted: "name of a variable",
    hint: "write such as PGPASSWORD",
  },
  "rule-id": { check: (t) => /^[a-z]+\/[a-z0-9-]+$/.test(t), wanted: "rule id", hint: "write group/name" },
  "slot-name": { check: (t) => /^[a-z0-9_]{0,63}$/.test(t), wanted: "slot name", hint: "use a-z, 0-9 and _" },
  "age-recipient": {
    check: (t) => bech32.test(t),
    wanted: "age recipient",
    hint: "write the age1… line that holdfast key new prints",
  },
  "source-item": {
    check: (t) => /^[a-z-]+\/[^\s/][^\x00-\x1f]{0,500}$/.test(t),
    wanted: "thing at a source",
    hint: "write kind and name as holdfast coverage does, such as bucket/logs or table/shop.tmp_*",
  },
  "calendar-date": { check: isDate, wanted: "date", hint: "write such as 2026-12-31" },
  "http-url": {
    check: (t) => /^https?:\/\/[^\s/@?#]+(?:[/?#][^\s]*)?$/.test(t) && URL.canParse(t),
    wanted: "http or https URL without credentials",
    hint: "write such as https://s3.example.org",
  },
};

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** The two kinds of compiler: a quick one that says yes or no, and one that names every fault. */
const compilerOptions = {
  // Every start pays for it. The thorough one looks at the schemas themselves, and the tests use it on each.
  quick: { strict: false, validateSchema: false, code: { optimize: false } },
  thorough: { allErrors: true, verbose: true, strict: true, strictTypes: false, strictRequired: false },
} as const;

function compiler(kind: keyof typeof compilerOptions): Ajv {
  const ajv = new Ajv(compilerOptions[kind]);
  for (const [name, { check }] of Object.entries(formats)) {
    // The same few texts come again in every policy.
    const known = new Map<string, boolean>();
    ajv.addFormat(name, (text: string) => {
      const before = known.get(text);
      if (before !== undefined) return before;
      const holds = check(text);
      if (known.size > 5000) known.clear();
      known.set(text, holds);
      return holds;
    });
  }
  ajv.addKeyword({
    keyword: "exactlyOneOf",
    type: "object",
    schemaType: "array",
    errors: false,
    validate: (keys: readonly string[], data: object) =>
      keys.filter((k) => Object.hasOwn(data, k)).length === 1,
  });
  ajv.addKeyword({
    keyword: "notHere",
    type: "object",
    schemaType: "array",
    errors: false,
    validate: (keys: readonly string[], data: object) => !keys.some((k) => Object.hasOwn(data, k)),
  });
  return ajv;
}

const compiled = new WeakMap<SchemaSet, SchemaChecks>();

/** Each schema of the set is compiled at its first use, and never twice. */
export function schemaChecks(schemas: SchemaSet): SchemaChecks {
  const known = compiled.get(schemas);
  if (known !== undefined) return known;
  const quick = compiledOnUse(schemas, "quick");
  const thorough = compiledOnUse(schemas, "thorough");
  const checks: SchemaChecks = {
    isValid: (kind, value) => quick(kind)(value),
    faults: (kind, value) => {
      const validate = thorough(kind);
      return validate(value) ? [] : describeAll(validate.errors ?? []);
    },
  };
  compiled.set(schemas, checks);
  return checks;
}

function compiledOnUse(
  schemas: SchemaSet,
  how: keyof typeof compilerOptions,
): (kind: DocumentKind) => ValidateFunction {
  const known = new Map<DocumentKind, ValidateFunction>();
  let ajv: Ajv | undefined;
  return (kind) => {
    const before = known.get(kind);
    if (before !== undefined) return before;
    ajv ??= compiler(how);
    const validate = ajv.compile(schemas[kind]);
    known.set(kind, validate);
    return validate;
  };
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
