/** Sections of the report that go through the policies: checklist, drills, pruning, details. */
import type { Verdict } from "../catalogue/manifest.ts";
import type { CheckState } from "../state/health.ts";
import { codeSpan, escapeMarkdown } from "./escape.ts";
import type { Evidence } from "./evidence.ts";
import type { ReportInput } from "./input.ts";
import type { JudgedPolicy } from "./judged.ts";
import { type Cell, capped, code, markdownTable } from "./markdown-table.ts";
import { describeAge } from "./svg-age.ts";
import { describeCalendar } from "./svg-calendar.ts";
import { describeRetention } from "./svg-retention.ts";
import { count, formatAge, formatBytes, formatInstant, formatSeconds } from "./units.ts";
import { proofSign } from "./verdict.ts";

/** Each row of each policy's checklist with its evidence. */
export function checkLines(
  judged: readonly JudgedPolicy[],
  nowMs: number,
  { link }: Evidence,
): readonly string[] {
  const rows = judged.flatMap(({ health, index }) =>
    health.checks.map((check, row): readonly Cell[] => {
      const at = `/policies/${index}/health/checks/${row}`;
      return [
        code(health.policy),
        check.name,
        link(check.level, `${at}/level`),
        link(formatSeconds(check.everyMs / 1000), `${at}/everyMs`),
        `${proofSign[check.state]} ${check.state}`,
        evidence(check, nowMs, at, link),
      ];
    }),
  );
  if (rows.length === 0) return ["No check is asked for: nothing is proved."];
  return markdownTable(["Policy", "Check", ">Level", ">Every", "State", "Evidence"], rows);
}

function evidence({ verdict }: CheckState, nowMs: number, at: string, link: Evidence["link"]): Cell {
  if (verdict === undefined) return "no verdict yet";
  const bad = verdict.checks.findIndex((c) => !c.ok);
  const first = verdict.checks[bad];
  const said =
    first === undefined
      ? link(`${count(verdict.checks.length, "check")} passed`, `${at}/verdict/checks`)
      : link(`${first.name}: ${first.detail}`, `${at}/verdict/checks/${bad}`);
  const age = link(formatAge(verdict.at, nowMs), `${at}/verdict/at`);
  return { markup: `${codeSpan(verdict.point)} ${age.markup}: ${said.markup}` };
}

/** Every restore of the time, with what fixed it and what it measured. */
export function drillLines(judged: readonly JudgedPolicy[], { link }: Evidence): readonly string[] {
  const drills = judged
    .flatMap((p) => p.drills.map((drill, row) => ({ drill, at: `/policies/${p.index}/drills/${row}` })))
    .sort((a, b) => (a.drill.at < b.drill.at ? -1 : a.drill.at > b.drill.at ? 1 : a.at < b.at ? -1 : 1));
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
    drills.map(({ drill, at }) => drillRow(drill, at, link)),
  );
}

function drillRow(drill: Verdict, at: string, link: Evidence["link"]): readonly Cell[] {
  const { measured } = drill;
  const instant = (text: string | undefined, pointer: string, otherwise: string): Cell =>
    text === undefined ? otherwise : link(formatInstant(text), pointer);
  const number = (text: string, pointer: string): Cell => (text === "–" ? text : link(text, pointer));
  const reached = link(drill.level, `${at}/level`);
  const asked = link(drill.asked, `${at}/asked`);
  return [
    link(formatInstant(drill.at), `${at}/at`),
    code(drill.policy),
    code(drill.point),
    { markup: `${reached.markup} of ${asked.markup}` },
    drill.ok ? "🟢 passed" : "🔴 failed",
    instant(measured.targetAt, `${at}/measured/targetAt`, "the end"),
    instant(measured.lastCanaryAt, `${at}/measured/lastCanaryAt`, "none"),
    number(formatSeconds(measured.rpoSeconds), `${at}/measured/rpoSeconds`),
    number(formatSeconds(measured.rtoSeconds), `${at}/measured/rtoSeconds`),
    number(formatBytes(measured.restoredBytes ?? Number.NaN), `${at}/measured/restoredBytes`),
    measured.seed === undefined ? "–" : code(measured.seed),
  ];
}

/** Points that went, newest first, with the reason the keep table gave. */
export function pruneLines(judged: readonly JudgedPolicy[], { link }: Evidence): readonly string[] {
  const pruned = judged
    .flatMap((p) =>
      p.prune.map((point, row) => ({
        ...point,
        policy: p.policy.name,
        pointer: `/policies/${p.index}/prune/${row}`,
      })),
    )
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.pointer < b.pointer ? -1 : 1));
  if (pruned.length === 0) return ["Nothing was pruned."];
  const bytes = pruned.reduce((sum, p) => sum + p.removedBytes, 0);
  const rows = pruned.map((p): readonly Cell[] => [
    link(formatInstant(p.at), `${p.pointer}/at`),
    code(p.policy),
    code(p.point),
    p.removedBytes === 0 ? "marked" : link(formatBytes(p.removedBytes), `${p.pointer}/removedBytes`),
    link(p.reason, `${p.pointer}/reason`),
  ]);
  const steps = link(count(pruned.length, "step"), "/pruned/count");
  const removed = link(formatBytes(bytes), "/pruned/removedBytes");
  return [
    `${steps.markup}, ${removed.markup} removed. A point is marked first and removed when its grace is over.`,
    "",
    ...capped(["When", "Policy", "Point", ">Removed", "Why"], rows),
  ];
}

/** One policy: what made its newest point, ranges, remarks of the catalogue, pictures. */
export function policyLines(
  entry: JudgedPolicy,
  input: ReportInput,
  pictures: string,
  evidenceOf: Evidence,
): readonly string[] {
  const { policy, catalogue } = entry;
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
  lines.push(...rangeLines(entry, input.nowMs, evidenceOf), ...versionLines(entry, evidenceOf));
  for (const [file, label] of pictureLabels(entry)) {
    lines.push(`![${escapeMarkdown(label, 900)}](${pictures}-${file}.svg)`, "");
  }
  return lines;
}

/** The text in place of each picture says what the picture says. */
function pictureLabels(entry: JudgedPolicy): readonly (readonly [string, string])[] {
  const { policy, teeth, health, days } = entry;
  const age = describeAge({ policy: policy.name, teeth, rpoSeconds: health.target.rpoSeconds });
  return [
    ["reach", `How far back: ${policy.name}`],
    ["age", `What a disaster would have cost: ${policy.name}. ${age}`],
    ["calendar", `Calendar of proof: ${policy.name}. ${describeCalendar(days)}`],
    ["retention", `Retention: ${policy.name}. ${describeRetention(entry.retention)}`],
    ["sizes", `Size of recovery points: ${policy.name}`],
    ["checks", `Checklist day by day: ${policy.name}`],
  ];
}

function versionLines({ catalogue, index }: JudgedPolicy, { link }: Evidence): readonly string[] {
  const newest = catalogue?.points.at(-1)?.manifest;
  if (newest === undefined || newest.server.version === "") return [];
  const at = `/policies/${index}`;
  const tools = Object.keys(newest.tools)
    .sort()
    .map((name) => `${escapeMarkdown(name)} ${link(newest.tools[name] ?? "", `${at}/tools/${name}`).markup}`);
  const server = `The newest point is of server version ${link(newest.server.version, `${at}/server`).markup}`;
  return [`${server}${tools.length === 0 ? "" : `, made with ${tools.join(", ")}`}.`, ""];
}

function rangeLines(
  { policy, health, index }: JudgedPolicy,
  nowMs: number,
  { link }: Evidence,
): readonly string[] {
  if (health.newest === undefined) return ["There is no recovery point: nothing can be restored.", ""];
  const at = `/policies/${index}/health`;
  const number = link(count(health.pointsCount, "recovery point"), `${at}/pointsCount`).markup;
  const age = link(formatAge(health.newest.at, nowMs), `${at}/newest/at`).markup;
  const size = link(formatBytes(health.newest.sizeBytes), `${at}/newest/sizeBytes`).markup;
  const points = `${number}, the newest ${codeSpan(health.newest.id)} taken ${age} with ${size}.`;
  if (policy.log === undefined)
    return [`${points} Only these points can be restored, no instant between them.`, ""];
  if (health.ranges.length === 0)
    return [`${points} **No instant between them can be restored**, though the policy asks for it.`, ""];
  const ranges = health.ranges.map((r, row) => {
    const from = link(formatInstant(r.fromAt), `${at}/ranges/${row}/fromAt`).markup;
    return `- any instant from ${from} to ${link(formatInstant(r.toAt), `${at}/ranges/${row}/toAt`).markup}`;
  });
  const gaps =
    health.ranges.length > 1
      ? [`- **${link(count(health.ranges.length - 1, "gap"), `${at}/ranges`).markup}** between these ranges`]
      : [];
  return [points, "", ...ranges, ...gaps, ""];
}
