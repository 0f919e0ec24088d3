/**
 * Findings as SARIF 2.1.0, one token per result: code scanning shows an alert in a pull request only where
 * all its lines are in the diff. An empty run closes old alerts.
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
import type { Finding, Severity } from "../finding.ts";
import { fingerprintsOf } from "../lint/fingerprints.ts";
import { rules } from "../lint/rules.ts";
import { secretRules } from "../lint/secrets-in-text.ts";
import { waiverRules } from "../lint/waivers.ts";
import type { ShownLint } from "./lint-text.ts";

interface RuleFacts {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
}

const levels: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "note" };

/** One SARIF log, indented, ending in a line feed. */
export function lintSarif({ findings, waived }: ShownLint): string {
  const declared: RuleFacts[] = [...rules, ...secretRules, ...waiverRules];
  const known = new Set(declared.map((rule) => rule.id));
  // Reading faults have no list of their own; those that occur are declared.
  for (const { rule, severity } of findings) {
    if (known.has(rule)) continue;
    known.add(rule);
    declared.push({ id: rule, severity, title: rule });
  }
  const index = new Map(declared.map((rule, i) => [rule.id, i]));
  const all = [...findings, ...waived.map((w) => w.finding)];
  const prints = new Map(fingerprintsOf(all).map((print, i) => [all[i], print]));
  const result = (finding: Finding) => {
    const print = prints.get(finding) ?? "";
    const { file, line, column, endLine, endColumn } = finding.location;
    return {
      ruleId: finding.rule,
      ruleIndex: index.get(finding.rule) ?? -1,
      level: levels[finding.severity],
      message: { text: `${finding.message}\n${finding.hint}` },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: uriOf(file) },
            region: { startLine: line, startColumn: column, endLine, endColumn },
          },
        },
      ],
      // The name that code scanning looks for, and ours for other readers.
      partialFingerprints: { primaryLocationLineHash: print, "holdfastFinding/v2": print },
    };
  };
  const log = {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "holdfast",
            rules: declared.map(({ id, severity, title }) => ({
              id,
              shortDescription: { text: title },
              defaultConfiguration: { level: levels[severity] },
              help: { text: `docs/rules/${id.replace("/", "-")}.md` },
            })),
          },
        },
        columnKind: "utf16CodeUnits",
        results: [
          ...findings.map(result),
          ...waived.map(({ finding, waiver }) => ({
            ...result(finding),
            suppressions: [
              {
                kind: "inSource",
                justification: `${waiver.reason} (${waiver.owner}, until ${waiver.until})`,
              },
            ],
          })),
        ],
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

/** A relative path as URI; lone surrogates, which no URI can hold, become U+FFFD. */
function uriOf(path: string): string {
  return path
    .replaceAll("\\", "/")
    .split("/")
    .map((part) => encodeURIComponent(part.toWellFormed()))
    .join("/");
}
