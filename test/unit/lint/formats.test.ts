/** The machine formats with texts that try to break out of them. */
import { expect, it } from "vitest";
import { lint } from "../../../src/lint/run.ts";
import { renderLint } from "../../../src/report/lint.ts";
import { nowMs, schemas } from "./examples.ts";

const plain = (text: string) => text;
const options = {
  paint: { good: plain, bad: plain, warn: plain, dim: plain, bold: plain },
  columns: 80,
  filesCount: 1,
};
const text = 'apiVersion: holdfast.dev/v1\nkind: "a%0A::error::<b>&\\n::stop"\n';
const files = [{ path: "x,y:z<1>.yaml", bytes: new TextEncoder().encode(text) }];
const result = lint(files, schemas, { nowMs });
const render = (format: "text" | "json" | "sarif" | "github" | "junit") =>
  renderLint(format, result, options);

it("puts a caret under the token", () => {
  const lines = render("text").split("\n");
  const at = lines.findIndex((line) => line.includes("2 |"));
  expect(lines[at + 1]?.indexOf("^")).toBe(lines[at]?.indexOf('"a%0A'));
});
it("gives the agreed JSON", () => {
  const { findings } = JSON.parse(render("json"));
  expect(findings[0]).toMatchObject({ rule: "schema/kind", severity: "error", line: 2, column: 7 });
});
it("gives one GitHub command per finding and escapes the rest", () => {
  const lines = render("github").trimEnd().split("\n");
  expect(lines).toHaveLength(result.findings.length);
  expect(lines[0]).toContain("file=x%2Cy%3Az<1>.yaml,line=2,");
  expect(lines[0]).toContain("%250A::error");
});
it("escapes XML", () => {
  const xml = render("junit");
  expect(xml).toContain("&lt;b&gt;&amp;");
  expect(xml).not.toContain("<b>");
});
it("gives SARIF with every rule declared and exact regions", () => {
  const [run] = JSON.parse(render("sarif")).runs;
  const [first] = run.results;
  expect(run.tool.driver.rules[first.ruleIndex].id).toBe(first.ruleId);
  expect(first.locations[0].physicalLocation.region).toMatchObject({ startLine: 2, startColumn: 7 });
  expect(first.locations[0].physicalLocation.artifactLocation.uri).toBe("x%2Cy%3Az%3C1%3E.yaml");
});
