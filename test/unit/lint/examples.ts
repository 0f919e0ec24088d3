/** Runs one example or corpus file the way the rule pages promise: completed by the preamble, one rule at a time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readSchemas } from "../../../src/cli/policy-files.ts";
import { lint } from "../../../src/lint/run.ts";

export const root = join(import.meta.dirname, "../../..");
export const nowMs = Date.parse("2026-11-23T00:00:00Z");
export const schemas = await readSchemas();
const preamble = readFileSync(join(root, "docs/rules/preamble.yaml"), "utf8").split("---\n");
const kindLine = /^kind: (\w+)/gm;

export interface Place {
  readonly rule: string;
  readonly line: number;
  readonly column: number;
}

/** What is found in the file by the rule and by reading; with no rule, by reading alone. */
export function placesIn(bytes: Uint8Array, rule: string): readonly Place[] {
  const isReading = /^(?:yaml|schema|reference)\//.test(rule);
  const text = new TextDecoder().decode(bytes);
  const kinds = new Set([...text.matchAll(kindLine)].map((m) => m[1]));
  const rest = preamble.filter((document) => {
    const kind = /^kind: (\w+)/m.exec(document)?.[1];
    return !kinds.has(kind) && !(rule === "reconciler/missing" && kind === "Reconciler");
  });
  const files = [
    { path: "a.yaml", bytes },
    { path: "z.yaml", bytes: new TextEncoder().encode(rest.join("---\n")) },
  ];
  // A waiver can only be judged while the rule it names runs.
  const only = rule.startsWith("waiver/") ? {} : { only: isReading ? [] : [rule] };
  return lint(files, schemas, { nowMs, ...only })
    .findings.filter((f) => f.location.file === "a.yaml")
    .filter((f) => f.rule === rule || /^(?:yaml|schema|reference)\//.test(f.rule))
    .map(({ rule: id, location }) => ({ rule: id, line: location.line, column: location.column }));
}
