/** Sections of the report that go through the policies: failures, checklist, drills, pruning, details. */
import type { Verdict } from "../catalogue/manifest.ts";
import type { CheckState, Condition } from "../state/health.ts";
import type { Run } from "../state/job.ts";
import { codeSpan, escapeMarkdown } from "./escape.ts";
import type { PolicyReport, ReportInput } from "./input.ts";
import { type Cell, code, markdownTable } from "./markdown-table.ts";
import { count, formatAge, formatBytes, formatInstant, formatSeconds } from "./units.ts";
import { proofSign } from "./verdict.ts";

const mostRows = 50;
const severitySign = { critical: "🔴", warning: "🟡", info: "⚪" } as const;

/** Conditions that hold and runs that failed, each with the next command. */
export function failureLines(
  conditions: readonly Condition[],
  policies: readonly PolicyReport[],
): readonly string[] {
  const lines: string[] = [];
  if (conditions.length === 0) lines.push("No condition holds.");
  else {
    const rows = conditions.map((c): readonly Cell[] => [
      `${severitySign[c.severity]} ${c.severity}`,
      code(c.policy),
      c.kind,
      c.message,
      c.hint,
    ]);
    lines.push(...capped(["Severity", "Policy", "Condition", "What", "Next"], rows));
  }
  const failed = policies
    .flatMap((p) => p.runs)
    .filter((r) => r.outcome === "failed" || r.outcome === "lost")
    .sort((a, b) =>
      a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : a.key < b.key ? -1 : 1,
    );
  if (failed.length > 0) {
    lines.push("", `${count(failed.length, "run")} failed in this time:`, "");
    lines.push(...capped(["Started", "Run", ">Exit status", "What it said", "Next"], failed.map(failedRun)));
  }
  return lines;
}

function failedRun(run: Run): readonly Cell[] {
  const said = run.message ?? (run.outcome === "lost" ? "ended without a result" : "nothing");
  const verb = { capture: "backup", log: "wal", verify: "verify", prune: "prune", report: "report" }[
    run.kind
  ];
  const next = run.kind === "report" ? "holdfast report" : `holdfast ${verb} ${run.policy}`;
  return [formatInstant(run.startedAt), code(run.key), run.exitStatus ?? "none", said, code(next)];
}

/** Each row of each policy's checklist with its evidence. */
export function checkLines(input: ReportInput): readonly string[] {
  const rows = input.policies.flatMap(({ health }) =>
    health.checks.map((check): readonly Cell[] => [
      code(health.policy),
      check.name,
      check.level,
      formatSeconds(check.everyMs / 1000),
      `${proofSign[check.state]} ${check.state}`,
      evidence(check, input.nowMs),
    ]),
  );
  if (rows.length === 0) return ["No check is asked for: nothing is proved."];
  return markdownTable(["Policy", "Check", ">Level", ">Every", "State", "Evidence"], rows);
}

function evidence({ verdict }: CheckState, nowMs: number): Cell {
  if (verdict === undefined) return "no verdict yet";
  const bad = verdict.checks.filter((c) => !c.ok);
  const first = bad[0];
  const said =
    first === undefined
      ? `${count(verdict.checks.length, "check")} passed`
      : `${first.name}: ${first.detail}`;
  return {
    markup: `${codeSpan(verdict.point)} ${formatAge(verdict.at, nowMs)}: ${escapeMarkdown(said, 240)}`,
  };
}

/** Every restore of the time, with what fixed it and what it measured. */
export function drillLines(input: ReportInput): readonly string[] {
  const drills = input.policies
    .flatMap((p) => p.drills)
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.policy < b.policy ? -1 : 1));
  if (drills.length === 0) return ["No restore was tried in this time. What is not restored is not proved."];
  const headings = [
    "When",
    "Policy",
    "Point",
    ">Level",
    "Outcome",
    "Target instant",
    "Last canary found",
    ">Behind",
    ">RTO",
    ">Restored",
    "Seed",
  ];
  return capped(
    headings,
    drills.map((d) => drillRow(d)),
  );
}

function drillRow(drill: Verdict): readonly Cell[] {
  const { measured } = drill;
  return [
    formatInstant(drill.at),
    code(drill.policy),
    code(drill.point),
    `${drill.level} of ${drill.asked}`,
    drill.ok ? "🟢 passed" : "🔴 failed",
    measured.targetAt === undefined ? "the end" : formatInstant(measured.targetAt),
    measured.lastCanaryAt === undefined ? "none" : formatInstant(measured.lastCanaryAt),
    formatSeconds(measured.rpoSeconds),
    formatSeconds(measured.rtoSeconds),
    formatBytes(measured.restoredBytes ?? Number.NaN),
    measured.seed === undefined ? "–" : code(measured.seed),
  ];
}

/** Points that went, newest first, with the reason the keep table gave. */
export function pruneLines(input: ReportInput): readonly string[] {
  const pruned = input.policies
    .flatMap((p) => p.prune.map((point) => ({ policy: p.policy.name, ...point })))
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.policy < b.policy ? -1 : 1));
  if (pruned.length === 0) return ["Nothing was pruned."];
  const bytes = pruned.reduce((sum, p) => sum + p.removedBytes, 0);
  const rows = pruned.map((p): readonly Cell[] => [
    formatInstant(p.at),
    code(p.policy),
    code(p.point),
    p.removedBytes === 0 ? "marked" : formatBytes(p.removedBytes),
    p.reason,
  ]);
  return [
    `${count(pruned.length, "point")}, ${formatBytes(bytes)} removed.`,
    "",
    ...capped(["When", "Policy", "Point", ">Removed", "Why"], rows),
  ];
}

/** One policy: pictures, ranges, remarks of the catalogue. */
export function policyLines(entry: PolicyReport, nowMs: number, pictures: string): readonly string[] {
  const { policy, health, catalogue } = entry;
  const lines = [`### ${escapeMarkdown(policy.name)}`, ""];
  if (policy.suspended)
    lines.push("**Suspended:** nothing is captured, verified or pruned until the policy says otherwise.", "");
  if (catalogue === undefined)
    lines.push("**The store could not be read**, so nothing is said about its points.", "");
  else if (!catalogue.complete) lines.push("**The listing is incomplete**, so nothing was deleted.", "");
  for (const remark of catalogue?.remarks ?? []) lines.push(`- ${escapeMarkdown(remark)}`);
  for (const { id, reason } of catalogue?.unreadable ?? [])
    lines.push(`- ${codeSpan(id)} cannot be read: ${escapeMarkdown(reason)}`);
  if (lines.at(-1) !== "") lines.push("");
  lines.push(...rangeLines(entry, nowMs));
  for (const [file, label] of [
    ["reach", "How far back"],
    ["sizes", "Size of recovery points"],
    ["checks", "Checklist day by day"],
  ] as const) {
    lines.push(`![${label}: ${escapeMarkdown(health.policy)}](${pictures}-${file}.svg)`, "");
  }
  return lines;
}

function rangeLines({ policy, health }: PolicyReport, nowMs: number): readonly string[] {
  if (health.newest === undefined) return ["There is no recovery point: nothing can be restored.", ""];
  const points = `${count(health.pointsCount, "recovery point")}, the newest ${codeSpan(health.newest.id)} taken ${formatAge(health.newest.at, nowMs)} with ${formatBytes(health.newest.sizeBytes)}.`;
  if (policy.log === undefined)
    return [`${points} Only these points can be restored, no instant between them.`, ""];
  if (health.ranges.length === 0)
    return [`${points} **No instant between them can be restored**, though the policy asks for it.`, ""];
  const ranges = health.ranges.map(
    (r) => `- any instant from ${formatInstant(r.fromAt)} to ${formatInstant(r.toAt)}`,
  );
  const gaps =
    health.ranges.length > 1 ? [`- **${count(health.ranges.length - 1, "gap")}** between these ranges`] : [];
  return [points, "", ...ranges, ...gaps, ""];
}

/** A long table is cut and says so; the JSON beside the report has all rows. */
function capped(headings: readonly string[], rows: readonly (readonly Cell[])[]): readonly string[] {
  const table = markdownTable(headings, rows.slice(0, mostRows));
  return rows.length <= mostRows
    ? table
    : [...table, "", `… and ${rows.length - mostRows} more, in the JSON beside this file.`];
}
