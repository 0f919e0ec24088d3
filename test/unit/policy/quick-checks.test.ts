/**
 * src/policy/quick-checks.mjs is made from the schemas, because compiling them takes a tenth of a second of every
 * start; HOLDFAST_UPDATE=1 writes it anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { _ } from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";
import fc from "fast-check";
import { CORE_SCHEMA, loadAll } from "js-yaml";
import { describe, expect, it } from "vitest";
import { formatChecks } from "../../../src/policy/formats.ts";
import { type DocumentKind, documentKinds } from "../../../src/policy/model.ts";
import { quickChecks } from "../../../src/policy/quick-checks.mjs";
import { schemaCompiler, schemaFaults } from "../../../src/policy/schemas.ts";
import { schemas } from "./schema-files.ts";

const root = join(import.meta.dirname, "../../..");
const path = join(root, "src/policy/quick-checks.mjs");
const forPeople = ["$schema", "title", "description", "default", "examples"];

/** A schema without what only people and editors read. */
function bare(schema: unknown, isSchema = true): unknown {
  if (Array.isArray(schema)) return schema.map((one) => bare(one));
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name]) => !isSchema || !forPeople.includes(name));
  return Object.fromEntries(
    kept.map(([name, value]) => [name, bare(value, !isSchema || name !== "properties")]),
  );
}

/** The compiler's own code without the error objects: yes or no is all that is asked. */
function source(): string {
  const ajv = schemaCompiler({
    strict: false,
    validateSchema: false,
    messages: false,
    code: { source: true, esm: true, optimize: 1, formats: _`formats` },
  });
  for (const kind of documentKinds) ajv.addSchema(bare(schemas[kind]) as object, kind);
  const names = Object.fromEntries(documentKinds.map((kind) => [kind, kind]));
  const checks: string[] = [];
  const code = standaloneCode
    .default(ajv, names)
    .replace('"use strict";', "")
    .replace(/export const (\w+) = (validate\d+);/g, (_all, kind, check) => {
      checks.push(`${kind}: ${check}`);
      return "";
    })
    .replace(/validate\d+\.errors = (?:vErrors|\[\{[^;]*?\}\]);/g, "")
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', "(text) => [...text].length")
    .replaceAll(";", ";\n");
  return `// Made from schema/ by test/unit/policy/quick-checks.test.ts.\nexport function quickChecks(formats) {\n${code}return { ${checks.join(", ")} };\n}\n`;
}

const compiled = quickChecks(formatChecks);
const faults = schemaFaults(schemas);

const shipped: readonly { readonly kind: DocumentKind; readonly value: object }[] = readdirSync(
  join(root, "policies"),
)
  .filter((name) => name.endsWith(".yaml"))
  .flatMap(
    (name) =>
      loadAll(readFileSync(join(root, "policies", name), "utf8"), null, { schema: CORE_SCHEMA }) as object[],
  )
  .map((value) => ({ kind: (value as { kind: DocumentKind }).kind, value }));

/** Every place of a value, as a path. */
function placesOf(value: unknown, at: readonly string[] = []): readonly (readonly string[])[] {
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return [at, ...inner.flatMap(([name, one]) => placesOf(one, [...at, name]))];
}

type Change = (holder: Record<string, unknown>, name: string) => void;
const odd = [null, true, 0, -1, 1.5, "", " ", "x", "1d", "* * * * *", "Etc/UTC", [], [[]], {}, { name: "x" }];
const changes: readonly Change[] = [
  (holder, name) => delete holder[name],
  (holder, name) => {
    holder[`${name}x`] = structuredClone(holder[name]);
  },
  (holder, name) => {
    holder[name] = [holder[name], structuredClone(holder[name])];
  },
  ...odd.map(
    (value): Change =>
      (holder, name) => {
        holder[name] = structuredClone(value);
      },
  ),
];

/** `value` with one change at one of its places, and so on for each pair of numbers. */
function changed(value: object, picks: readonly (readonly [number, number])[]): object {
  const copy = structuredClone(value);
  for (const [place, change] of picks) {
    const places = placesOf(copy).filter((p) => p.length > 0);
    const at = places[place % Math.max(1, places.length)] ?? [];
    let holder = copy as Record<string, unknown>;
    for (const name of at.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
    changes[change % changes.length]?.(holder, at.at(-1) ?? "");
  }
  return copy;
}

describe("the quick checks", () => {
  it("are what the schemas say today", () => {
    if (process.env["HOLDFAST_UPDATE"] === "1") writeFileSync(path, source());
    expect(readFileSync(path, "utf8") === source(), "HOLDFAST_UPDATE=1 writes it anew").toBe(true);
  });

  it("know every kind of document", () => {
    expect(Object.keys(compiled).sort()).toEqual([...documentKinds].sort());
    expect([...new Set(shipped.map((d) => d.kind))].sort()).toEqual([...documentKinds].sort());
  });

  it("take every shipped document", () => {
    expect(shipped.filter(({ kind, value }) => !compiled[kind](value))).toEqual([]);
  });

  it("agree with the thorough ones about documents with one or two changes", () => {
    const seen = { right: 0, wrong: 0 };
    fc.assert(
      fc.property(
        fc.nat(shipped.length - 1),
        fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 2 }),
        (which, picks) => {
          const { kind, value } = shipped[which]!;
          const document = changed(value, picks);
          const isRight = faults(kind, document).length === 0;
          seen[isRight ? "right" : "wrong"] += 1;
          expect(compiled[kind](document)).toBe(isRight);
        },
      ),
      { numRuns: 4000 },
    );
    expect(seen.right).toBeGreaterThan(100);
    expect(seen.wrong).toBeGreaterThan(1000);
  });
});
