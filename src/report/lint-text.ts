/** Findings for people: the line with a caret under the token, what is wrong, and what to do; the sum comes last. */
import type { Finding, Severity } from "../finding.ts";
import type { LintResult } from "../lint/run.ts";

/** How words are coloured; identity functions give plain text. */
export interface LintPaint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export interface LintTextOptions {
  readonly paint: LintPaint;
  /** Width to which code lines are cut. */
  readonly columns: number;
  readonly filesCount: number;
}

export type ShownLint = Pick<LintResult, "findings" | "waived" | "reading">;

/** The whole text, ending in a line feed. */
export function lintText(result: ShownLint, options: LintTextOptions): string {
  const blocks = result.findings.map((finding) => block(finding, result, options));
  const waived = result.waived.map(({ finding, waiver }) =>
    options.paint.dim(
      visible(
        `${place(finding)}  accepted  ${finding.rule} until ${waiver.until} by ${waiver.owner}: ${waiver.reason}`,
      ),
    ),
  );
  const parts = [...blocks, ...(waived.length > 0 ? [waived.join("\n")] : []), summary(result, options)];
  return `${parts.join("\n\n")}\n`;
}

function block(finding: Finding, result: ShownLint, { paint, columns }: LintTextOptions): string {
  const head = `${paint.bold(visible(place(finding)))}  ${severityWord(finding.severity, paint)}  ${visible(finding.rule)}`;
  const frame = codeFrame(finding, result.reading.texts.get(finding.location.file), paint, columns);
  return [
    head,
    `  ${visible(finding.message)}`,
    ...frame,
    `  ${paint.dim("→")} ${visible(finding.hint)}`,
  ].join("\n");
}

function codeFrame(
  { location, severity }: Finding,
  text: string | undefined,
  paint: LintPaint,
  columns: number,
): readonly string[] {
  const line = text === undefined ? undefined : lineOf(text, location.line);
  if (line === undefined || line.trim() === "") return [];
  const number = String(location.line);
  const room = Math.max(20, columns - number.length - 8);
  // A long line is shown around the token.
  const from = location.column > room ? location.column - Math.floor(room / 2) : 1;
  const shown = line.slice(from - 1, from - 1 + room);
  const end = location.endLine === location.line ? location.endColumn : line.length + 1;
  const width = Math.max(1, Math.min(end - location.column, shown.length - (location.column - from)));
  const gutter = " ".repeat(number.length);
  const colour = severity === "error" ? paint.bad : severity === "warning" ? paint.warn : paint.dim;
  // One sign per UTF-16 unit, so that the caret stands below the token also beside control characters.
  const code = shown.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ");
  return [
    `    ${paint.dim(`${number} |`)} ${code}`,
    `    ${paint.dim(`${gutter} |`)} ${" ".repeat(location.column - from)}${colour("^".repeat(width))}`,
  ];
}

function lineOf(text: string, line: number): string | undefined {
  let at = 0;
  for (let i = 1; i < line; i += 1) {
    at = text.indexOf("\n", at) + 1;
    if (at === 0) return undefined;
  }
  const end = text.indexOf("\n", at);
  return text.slice(at, end < 0 ? undefined : end).replace(/\r$/, "");
}

function summary({ findings, waived }: ShownLint, { paint, filesCount }: LintTextOptions): string {
  const count = (severity: Severity) => findings.filter((f) => f.severity === severity).length;
  const files = plural(filesCount, "file");
  const accepted = waived.length > 0 ? `, ${waived.length} accepted` : "";
  if (findings.length === 0) return paint.good(`${files}: no findings${accepted}`);
  const text = `${files}: ${plural(count("error"), "error")}, ${plural(count("warning"), "warning")}, ${count("info")} info${accepted}`;
  return count("error") > 0 ? paint.bad(text) : count("warning") > 0 ? paint.warn(text) : text;
}

function severityWord(severity: Severity, paint: LintPaint): string {
  if (severity === "error") return paint.bad("error");
  return severity === "warning" ? paint.warn("warning") : paint.dim("info");
}

function place({ location }: Finding): string {
  return `${location.file}:${location.line}:${location.column}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Text of a policy cannot drive the terminal or fake a line of this output. */
function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
