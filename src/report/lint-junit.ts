/** Findings as JUnit XML: a suite per file, a case per finding; errors and warnings fail, remarks pass. */
import type { Finding } from "../finding.ts";
import type { ShownLint } from "./lint-text.ts";

/** One XML document. Without findings it holds one passing case, since some readers refuse an empty one. */
export function lintJunit({ findings }: ShownLint): string {
  const byFile = new Map<string, Finding[]>();
  for (const finding of findings) {
    const list = byFile.get(finding.location.file);
    if (list === undefined) byFile.set(finding.location.file, [finding]);
    else list.push(finding);
  }
  const suites = [...byFile].map(([file, list]) => suite(file, list));
  if (suites.length === 0) {
    suites.push(
      '  <testsuite name="holdfast lint" tests="1" failures="0">\n    <testcase name="no findings" classname="holdfast"/>\n  </testsuite>',
    );
  }
  const failures = findings.filter((f) => f.severity !== "info").length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="holdfast lint" tests="${Math.max(1, findings.length)}" failures="${failures}">\n${suites.join("\n")}\n</testsuites>\n`;
}

function suite(file: string, findings: readonly Finding[]): string {
  const failures = findings.filter((f) => f.severity !== "info").length;
  return [
    `  <testsuite name="${escaped(file)}" tests="${findings.length}" failures="${failures}">`,
    ...findings.map(testCase),
    "  </testsuite>",
  ].join("\n");
}

function testCase({ rule, severity, location, message, hint }: Finding): string {
  const name = escaped(`${rule} ${location.line}:${location.column}`);
  const head = `    <testcase name="${name}" classname="${escaped(location.file)}"`;
  const text = `${location.file}:${location.line}:${location.column} ${message}\n${hint}`;
  if (severity === "info")
    return `${head}>\n      <system-out>${escaped(text)}</system-out>\n    </testcase>`;
  return `${head}>\n      <failure type="${severity}" message="${escaped(message)}">${escaped(text)}</failure>\n    </testcase>`;
}

/** Escaped for text and attributes; what XML 1.0 cannot hold at all becomes U+FFFD. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;")
    .replaceAll("\n", "&#10;")
    .replaceAll("\r", "&#13;")
    .replaceAll("\t", "&#9;");
}
