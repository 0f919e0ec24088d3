/** What GitHub makes of a lint: its limits of annotations, the summary page, and alerts of code scanning. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Finding, Severity } from "../../../src/finding.ts";
import { lint } from "../../../src/lint/run.ts";
import { lintGithub } from "../../../src/report/lint-github.ts";
import { lintSarif } from "../../../src/report/lint-sarif.ts";
import { lintSummary } from "../../../src/report/lint-summary.ts";
import { nowMs, root, schemas } from "./examples.ts";

const finding = (severity: Severity, line: number, message = "it is wrong"): Finding => ({
  rule: "log/thinned",
  severity,
  location: { file: "p/a.yaml", line, column: 3, endLine: line, endColumn: 9 },
  message,
  hint: "mend it",
});
const shown = (findings: readonly Finding[]) => ({
  findings,
  waived: [],
  reading: lint([], schemas, { nowMs }).reading,
});
const many = (severity: Severity, count: number) =>
  Array.from({ length: count }, (_, i) => finding(severity, i + 1));

describe("annotations", () => {
  it("stay within ten of a kind, and what is left out is counted in one line", () => {
    const lines = lintGithub(
      shown([...many("info", 10), ...many("warning", 11), ...many("error", 2500)]),
    ).split("\n");
    const kind = (word: string) => lines.filter((line) => line.startsWith(`::${word} `)).length;
    expect([kind("error"), kind("warning"), kind("notice")]).toEqual([10, 10, 10]);
    expect(lines.slice(30)).toEqual([
      "Not annotated: 2490 more of severity error, 1 more of severity warning; holdfast lint shows them all.",
      "",
    ]);
    expect(lintGithub(shown(many("error", 10)))).not.toContain("Not annotated");
  });
});

describe("the summary", () => {
  it("holds the findings that had no annotation, within GitHub's size", () => {
    const text = lintSummary(shown(many("error", 40)), 3);
    expect(text).toContain("### Lint: 3 files, 40 errors, 0 warnings, 0 info");
    expect(text.split("\n").filter((line) => line.includes("p/a.yaml:"))).toHaveLength(40);
    const wide = lintSummary(
      shown(Array.from({ length: 3000 }, (_, i) => finding("error", i, "€<|".repeat(5000)))),
      3,
    );
    expect(Buffer.byteLength(wide)).toBeLessThan(1024 * 1024);
    expect(wide).toContain("… and 2500 more");
  });
  it("is no markup of whoever wrote the policies", () => {
    const text = lintSummary(shown([finding("error", 1, "<img src=x> @team #1 [a](http://x) | b\n# h")]), 1);
    expect(text).not.toMatch(/<img|@team|[^\\]\]\(http|^# h/m);
  });
});

describe("SARIF", () => {
  const corpus = join(root, "test/corpus/bad");
  const files = readdirSync(corpus).map((name) => ({
    path: `bad/${name}`,
    bytes: readFileSync(join(corpus, name)),
  }));
  const runs = files.map((file) => ({ file, result: lint([file], schemas, { nowMs }) }));
  const resultsOf = (result: Parameters<typeof lintSarif>[0]) =>
    JSON.parse(lintSarif(result)).runs[0].results;

  it("points into the file, with a range that ends behind its beginning, for every bad file", () => {
    let regions = 0;
    for (const { file, result } of runs) {
      const lines = new TextDecoder().decode(file.bytes).split("\n");
      for (const { locations } of resultsOf(result)) {
        const { artifactLocation, region } = locations[0].physicalLocation;
        const { startLine, startColumn, endLine, endColumn } = region;
        expect(artifactLocation.uri).toBe(file.path);
        expect(startLine).toBeGreaterThan(0);
        expect(endLine * 1e6 + endColumn).toBeGreaterThan(startLine * 1e6 + startColumn);
        expect(endLine).toBeLessThanOrEqual(lines.length);
        // One past the end of the line is the line's own end, where a missing thing belongs.
        expect(startColumn).toBeLessThanOrEqual((lines[startLine - 1] ?? "").length + 1);
        regions += 1;
      }
    }
    expect(regions).toBeGreaterThan(200);
  });
  it("points at the token and not at its line", () => {
    const bytes = readFileSync(join(corpus, "schema-unknown-key.yaml"));
    const lines = new TextDecoder().decode(bytes).split("\n");
    const [first] = resultsOf(lint([{ path: "a.yaml", bytes }], schemas, { nowMs })).filter(
      (r: { ruleId: string }) => r.ruleId === "schema/unknown-key",
    );
    const { startLine, startColumn, endColumn } = first.locations[0].physicalLocation.region;
    const token = lines[startLine - 1]?.slice(startColumn - 1, endColumn - 1);
    expect(first.message.text).toContain(`'${token}'`);
  });
  it("has fingerprints that differ within a run and stay while lines move", () => {
    const prints = (result: Parameters<typeof lintSarif>[0]): string[] =>
      resultsOf(result).map((r: { partialFingerprints: Record<string, string> }) => {
        expect(r.partialFingerprints["primaryLocationLineHash"]).toMatch(/^[0-9a-f]{16}:\d+$/);
        return r.partialFingerprints["primaryLocationLineHash"];
      });
    const all = prints(lint(files, schemas, { nowMs }));
    expect(new Set(all).size).toBe(all.length);
    for (const { file, result } of runs.filter((r) => !r.file.path.startsWith("bad/yaml-"))) {
      const text = new TextDecoder().decode(file.bytes);
      const moved = { path: file.path, bytes: new TextEncoder().encode(`# one\n# two\n${text}`) };
      expect(prints(lint([moved], schemas, { nowMs }))).toEqual(prints(result));
    }
  });
});
