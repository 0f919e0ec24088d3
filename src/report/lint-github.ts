/**
 * Findings as GitHub workflow commands. Everything is escaped, so no text of a policy can become a command.
 * @see https://docs.github.com/actions/reference/workflow-commands-for-github-actions
 */
import type { Finding, Severity } from "../finding.ts";
import type { ShownLint } from "./lint-text.ts";

const commands: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "notice" };

/** GitHub shows so many of each kind per step and drops the rest in silence. */
const mostOfAKind = 10;

/** One line per finding up to GitHub's limit, errors first, and one that counts the rest; empty for no finding. */
export function lintGithub({ findings }: ShownLint): string {
  const order: readonly Severity[] = ["error", "warning", "info"];
  const kinds = order.map((severity) => findings.filter((finding) => finding.severity === severity));
  const shown = kinds.flatMap((kind) => kind.slice(0, mostOfAKind));
  const lines = shown.map(command);
  const rest = kinds.flatMap((kind, i) =>
    kind.length > mostOfAKind ? [`${kind.length - mostOfAKind} more of severity ${order[i]}`] : [],
  );
  if (rest.length > 0) lines.push(`Not annotated: ${rest.join(", ")}; holdfast lint shows them all.`);
  return lines.map((line) => `${line}\n`).join("");
}

function command({ rule, severity, location, message, hint }: Finding): string {
  const { file, line, column, endLine, endColumn } = location;
  // GitHub takes columns only for a range within one line.
  const columns = line === endLine ? `,col=${column},endColumn=${endColumn}` : "";
  const place = `file=${property(file)},line=${line},endLine=${endLine}${columns},title=${property(rule)}`;
  return `::${commands[severity]} ${place}::${data(`${message}\n${hint}`)}`;
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
