/** Rule pages, corpus, the repository's own policies and mutated files. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rules } from "../../../src/lint/rules.ts";
import { lint } from "../../../src/lint/run.ts";
import { secretRules } from "../../../src/lint/secrets-in-text.ts";
import { waiverRules } from "../../../src/lint/waivers.ts";
import { renderLint } from "../../../src/report/lint.ts";
import { seed } from "../../seed.ts";
import { processorMs } from "../processor-time.ts";
import { nowMs, type Place, placesIn, root, schemas } from "./examples.ts";

const pages = readdirSync(join(root, "docs/rules")).filter((f) => f.endsWith(".md") && f !== "README.md");
const page = (file: string) => readFileSync(join(root, "docs/rules", file), "utf8");
const encode = (text: string) => new TextEncoder().encode(text);
const policies = readdirSync(join(root, "policies")).map((name) => ({
  path: `policies/${name}`,
  bytes: readFileSync(join(root, "policies", name)),
}));
const plain = (text: string) => text;
const paint = { good: plain, bad: plain, warn: plain, dim: plain, bold: plain };

describe("rule pages", () => {
  it("has a page for each rule and one index", () => {
    const ids = [...rules, ...secretRules, ...waiverRules].map((rule) => rule.id);
    expect(ids.filter((id) => !pages.includes(`${id.replace("/", "-")}.md`))).toEqual([]);
    const facts = pages.map((file) => {
      const [, id = "", title = "", severity = ""] =
        /^# (\S+)\n\n(.*)\. Severity: (\w+)\./.exec(page(file)) ?? [];
      return `| [${id}](${file}) | ${severity} | ${title.charAt(0).toLowerCase()}${title.slice(1)} |`;
    });
    const index = page("README.md");
    const shown = index.split("\n").filter((line) => line.startsWith("| ["));
    expect(shown.map((l) => l.toLowerCase()).sort()).toEqual(facts.map((l) => l.toLowerCase()).sort());
    for (const rule of rules) {
      expect(page(`${rule.id.replace("/", "-")}.md`)).toContain(`Severity: ${rule.severity}.`);
    }
  });
  it.each(pages)("runs the examples of %s", (file) => {
    const text = page(file);
    const id = /^# (\S+)/.exec(text)?.[1] ?? "";
    const bad = /```yaml bad line=(\d+) column=(\d+)\n([\s\S]*?)```/.exec(text);
    if (bad === null) return expect(text).toContain("cannot be shown");
    expect(placesIn(encode(bad[3] ?? ""), id)).toEqual([
      { rule: id, line: Number(bad[1]), column: Number(bad[2]) },
    ]);
    const good = /```yaml good\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
    expect(placesIn(encode(good), id)).toEqual([]);
  });
});

const generators: Readonly<Record<string, () => Uint8Array>> = {
  "utf-16": () => new Uint8Array([0xff, 0xfe, 0x61, 0]),
  "invalid-utf-8": () => new Uint8Array([0x61, 0x0a, 0xc3, 0x28]),
  "control-character": () => encode("a: \u0007"),
  "bidirectional-override": () => encode("a: \u202e"),
  "too-many-bytes": () => encode("#".repeat(1_100_000)),
  "too-many-lines": () => encode("#\n".repeat(20_002)),
  "deep-brackets": () => encode(`a: ${"[".repeat(5000)}`),
};
const expected = JSON.parse(readFileSync(join(root, "test/corpus/expected.json"), "utf8")) as Record<
  string,
  readonly Place[]
>;

describe("corpus", () => {
  it("is large", () => expect(Object.keys(expected).length).toBeGreaterThanOrEqual(150));
  it.each(Object.entries(expected))("finds what is wrong with %s", (name, places) => {
    const bytes = name.startsWith("generator:")
      ? (generators[name.slice(10)] ?? (() => new Uint8Array()))()
      : readFileSync(join(root, "test/corpus", name));
    expect(placesIn(bytes, places[0]?.rule ?? "")).toEqual(places);
  });
});

describe("the repository's policies", () => {
  it("lint without errors and warnings", () => {
    const { findings } = lint(policies, schemas, { nowMs });
    expect(findings.filter((f) => f.severity !== "info")).toEqual([]);
  });
  it("never make lint throw, however they are mutated", () => {
    console.info(`HOLDFAST_SEED=${seed}`);
    let state = seed >>> 0;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const startedMs = processorMs();
    for (let round = 0; round < 120; round += 1) {
      const at = random(policies.length);
      const files = policies.map((file, i) =>
        i === at ? { path: file.path, bytes: mutate(file.bytes, random) } : file,
      );
      const result = lint(files, schemas, { nowMs });
      for (const format of ["text", "json", "sarif", "github", "junit"] as const) {
        renderLint(format, result, { paint, columns: 80, filesCount: files.length });
      }
    }
    expect(processorMs() - startedMs).toBeLessThan(50_000);
  });
});

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const kind = random(4);
  if (kind === 0) {
    const copy = Uint8Array.from(bytes);
    for (let i = 0; i < 3; i += 1) copy[random(copy.length)] = random(256);
    return copy;
  }
  if (kind === 1) return bytes.slice(0, random(bytes.length));
  const lines = new TextDecoder().decode(bytes).split("\n");
  const at = random(lines.length);
  if (kind === 2) lines.splice(at, 1);
  else lines.splice(at, 0, lines[random(lines.length)] ?? "");
  return encode(lines.join("\n"));
}
