/** Findings for programs; the shape is `schema/output/lint.schema.json`. */
import type { Finding } from "../finding.ts";
import type { ShownLint } from "./lint-text.ts";

/** One JSON document, indented, ending in a line feed. */
export function lintJson({ findings, waived }: ShownLint): string {
  const value = {
    findings: findings.map(flat),
    waived: waived.map(({ finding, waiver }) => ({
      ...flat(finding),
      reason: waiver.reason,
      owner: waiver.owner,
      until: waiver.until,
    })),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

function flat({ rule, severity, location, message, hint }: Finding) {
  const { file, line, column, endLine, endColumn } = location;
  return { rule, severity, file, line, column, endLine, endColumn, message, hint };
}
