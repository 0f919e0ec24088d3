/** Sections of what is not as it should be: conditions that hold, failures and what closed them, waivers. */
import { isOver } from "../policy/waiver-end.ts";
import type { Condition } from "../state/health.ts";
import { codeSpan, escapeMarkdown } from "./escape.ts";
import type { Evidence } from "./evidence.ts";
import type { ReportedFailure } from "./failures.ts";
import type { ReportInput } from "./input.ts";
import type { JudgedPolicy } from "./judged.ts";
import { type Cell, capped, code, markdownTable } from "./markdown-table.ts";
import { count, formatInstant } from "./units.ts";

const severitySign = { critical: "🔴", warning: "🟡", info: "⚪" } as const;
const soonMs = 14 * 86_400_000;

/** Conditions that hold, each with the next command; failures of the time, each with what closed it. */
export function failureLines(
  conditions: readonly Condition[],
  judged: readonly JudgedPolicy[],
  { link }: Evidence,
): readonly string[] {
  const lines: string[] = [];
  if (conditions.length === 0) lines.push("No condition holds.");
  else {
    const rows = conditions.map((c): readonly Cell[] => [
      `${severitySign[c.severity]} ${c.severity}`,
      code(c.policy),
      c.kind,
      link(c.message, pointerOf(c, judged)),
      c.hint,
    ]);
    lines.push(...capped(["Severity", "Policy", "Condition", "What", "Next"], rows));
  }
  const failures = judged.flatMap((p) =>
    p.failures.newest.map((failure, row) => ({
      failure,
      policy: p.policy.name,
      at: `/policies/${p.index}/failures/${row}`,
    })),
  );
  const all = judged.reduce((sum, p) => sum + p.failures.count, 0);
  if (all === 0) return [...lines, "", "Nothing failed in this time."];
  failures.sort((a, b) =>
    a.failure.at < b.failure.at ? 1 : a.failure.at > b.failure.at ? -1 : a.at < b.at ? -1 : 1,
  );
  const rows = failures.map(({ failure, policy, at }): readonly Cell[] => [
    whenOf(failure, at, link),
    code(policy),
    code(failure.what),
    failure.exitStatus === null ? "–" : link(failure.exitStatus, `${at}/exitStatus`),
    link(failure.said, `${at}/said`),
    failure.closedBy === null
      ? {
          markup: `🔴 ${failure.endedAt === null ? "open" : "not proved to be mended"}: ${codeSpan(failure.next)}`,
        }
      : { markup: `🟢 ${link(failure.closedBy, `${at}/closedBy`).markup}` },
  ]);
  const open = failures.filter((f) => f.failure.closedBy === null).length;
  const said = link(count(all, "failure"), "/failuresCount").markup;
  lines.push(
    "",
    `${said} in this time, ${open === 0 ? "all closed by proof" : `${link(open, "/failuresOpen").markup} open`}:`,
    "",
  );
  lines.push(...capped(["When", "Policy", "What", ">Exit status", "What it said", "Closed by"], rows, all));
  return lines;
}

function whenOf(failure: ReportedFailure, at: string, link: Evidence["link"]): Cell {
  const began = link(formatInstant(failure.at), `${at}/at`);
  if (failure.endedAt === null) return began;
  return { markup: `${began.markup} to ${link(formatInstant(failure.endedAt), `${at}/endedAt`).markup}` };
}

function pointerOf(condition: Condition, judged: readonly JudgedPolicy[]): string {
  for (const { index, health } of judged) {
    const row = health.conditions.indexOf(condition);
    if (row >= 0) return `/policies/${index}/health/conditions/${row}/message`;
  }
  return "/none";
}

/** Findings somebody has accepted, those that run out first on top. */
export function waiverLines(input: ReportInput, { link }: Evidence): readonly string[] {
  if (input.waivers.length === 0) return ["Nothing is waived."];
  const rows = input.waivers.map((w, row): readonly Cell[] => [
    code(w.rule),
    w.document,
    w.reason,
    w.owner,
    link(w.until, `/waivers/${row}/until`),
    stateOf(w.until, input.nowMs),
  ]);
  return markdownTable(["Rule", "Where", "Why", "Owner", "Until", "State"], rows);
}

function stateOf(until: string, nowMs: number): string {
  if (Number.isNaN(Date.parse(until))) return "🔴 no date";
  if (isOver(until, nowMs)) return "🔴 ran out";
  return isOver(until, nowMs + soonMs) ? "🟡 runs out within two weeks" : "⚪ in force";
}

/** What whoever asked for the report has to say, and of what it says nothing. */
export function remarkLines(input: ReportInput, titles: readonly string[]): readonly string[] {
  const lines = input.remarks.map((remark) => `- ${escapeMarkdown(remark, 1000)}`);
  if (titles.length > 0)
    lines.push(`- No policy here is about ${titles.join(", ")}: of that nothing is said.`);
  return lines.length === 0 ? [] : [...lines, ""];
}
