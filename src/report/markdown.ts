/**
 * The weekly report: markdown, its pictures and the same facts as JSON. Pure: the same input gives the same
 * bytes, so that a report commit holds only what changed. Every text from outside is escaped on its way in.
 */

import { pointProof } from "../health/proof.ts";
import { coverageLines } from "./coverage.ts";
import { codeSpan, escapeMarkdown, fileSlug } from "./escape.ts";
import { type Evidence, openEvidence } from "./evidence.ts";
import { inOrder } from "./in-order.ts";
import type { PolicyReport, ReportInput } from "./input.ts";
import { type JudgedPolicy, judgePolicies } from "./judged.ts";
import { budgetLines, summaryLines } from "./markdown-budget.ts";
import { failureLines, remarkLines, waiverLines } from "./markdown-failures.ts";
import { renderIndex } from "./markdown-index.ts";
import { checkLines, drillLines, policyLines, pruneLines } from "./markdown-policy.ts";
import { reportFacts } from "./report-facts.ts";
import { ageSvg } from "./svg-age.ts";
import { badgeSvg } from "./svg-badge.ts";
import { calendarSvg } from "./svg-calendar.ts";
import { checksSvg } from "./svg-checks.ts";
import { objectivesSvg } from "./svg-objectives.ts";
import { reachSvg } from "./svg-reach.ts";
import { retentionSvg } from "./svg-retention.ts";
import { sizesSvg } from "./svg-sizes.ts";
import { formatInstant, isoWeek } from "./units.ts";
import { moodSign, overallVerdict } from "./verdict.ts";
import { kindsWithoutPolicy } from "./without-policy.ts";

/** `2026/W47`: the ISO week the report's time ends in. */
export function reportName(input: Pick<ReportInput, "toAt" | "nowMs">): string {
  const toMs = Date.parse(input.toAt);
  // A span that ends on Monday 00:00 is the report of the week before.
  return isoWeek((Number.isNaN(toMs) ? input.nowMs : toMs) - 1).name;
}

/**
 * Files by path below the reports folder: the report, its pictures, its JSON and the index. The order in which
 * the input was gathered leaves no trace.
 */
export function renderReport(given: ReportInput): ReadonlyMap<string, string> {
  const input = inOrder(given);
  const name = reportName(input);
  const judged = judgePolicies(input);
  const json = `${JSON.stringify(reportFacts(input, judged, name, kindsWithoutPolicy(input)), null, 2)}\n`;
  const files = new Map<string, string>();
  for (const [path, svg] of drawPictures(input, judged, name)) files.set(path, svg);
  files.set(`${name}.md`, reportMarkdown(input, judged, name, openEvidence(json, `${name.slice(5)}.json`)));
  files.set(`${name}.json`, json);
  files.set("README.md", renderIndex(input, name));
  files.set("badge.svg", badgeSvg(input));
  return files;
}

function drawPictures(
  input: ReportInput,
  judged: readonly JudgedPolicy[],
  name: string,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  files.set(
    `${name}/objectives.svg`,
    objectivesSvg(
      input.policies.map(({ health }) => ({
        policy: health.policy,
        ...measuredOf(health),
        target: health.target,
      })),
    ),
  );
  for (const entry of judged) {
    const { policy, health, catalogue } = entry;
    const points = catalogue?.points ?? [];
    const slug = `${name}/${fileSlug(policy.name)}`;
    files.set(
      `${slug}-reach.svg`,
      reachSvg({
        policy: policy.name,
        points: points.map((p) => ({ at: p.manifest.consistentAt, proved: pointProof(p).level >= 4 })),
        ranges: health.ranges,
        pointInTime: policy.log !== undefined,
        nowMs: input.nowMs,
      }),
    );
    const floorBytes = sizeFloor(entry);
    files.set(
      `${slug}-sizes.svg`,
      sizesSvg({
        policy: policy.name,
        points: points.map(({ manifest: m }) => ({
          at: m.slotAt,
          sizeBytes: m.sizeBytes,
          full: m.capture === "full",
        })),
        ...(floorBytes === undefined ? {} : { floorBytes }),
      }),
    );
    const verdicts = points.flatMap((p) => p.verdicts);
    const { rpoSeconds } = health.target;
    files.set(`${slug}-age.svg`, ageSvg({ policy: policy.name, teeth: entry.teeth, rpoSeconds }));
    files.set(`${slug}-calendar.svg`, calendarSvg({ policy: policy.name, verdicts, nowMs: input.nowMs }));
    files.set(`${slug}-retention.svg`, retentionSvg(entry.retention));
    const since = points[0]?.manifest.finishedAt;
    files.set(
      `${slug}-checks.svg`,
      checksSvg({
        policy: policy.name,
        checks: policy.verification.checks,
        verdicts,
        nowMs: input.nowMs,
        days: 28,
        ...(since === undefined ? {} : { sinceAt: since }),
      }),
    );
  }
  return files;
}

function measuredOf(health: PolicyReport["health"]): {
  readonly rpoSeconds?: number;
  readonly rtoSeconds?: number;
} {
  const { rpoSeconds, rtoSeconds } = health.measured;
  return {
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    ...(rtoSeconds === undefined ? {} : { rtoSeconds }),
  };
}

/** The line under which a full point is too small: the checklist's share of the average of the full ones. */
function sizeFloor({ policy, catalogue }: PolicyReport): number | undefined {
  const full = (catalogue?.points ?? []).filter((p) => p.manifest.capture === "full").slice(-8, -1);
  if (full.length < 3) return undefined;
  return (
    (full.reduce((sum, p) => sum + p.manifest.sizeBytes, 0) / full.length) *
    policy.verification.minimumSizeRatio
  );
}

function reportMarkdown(
  input: ReportInput,
  judged: readonly JudgedPolicy[],
  name: string,
  evidence: Evidence,
): string {
  const verdict = overallVerdict(
    input.policies.map((p) => p.health),
    input.notBuilt,
  );
  const folder = name.slice(5);
  const lines = [
    `# Backup verification report ${name.replace("/", "-")}`,
    "",
    `${moodSign[verdict.mood]} **${escapeMarkdown(verdict.sentence, 600)}**`,
    "",
    `Cluster ${codeSpan(input.cluster)}, from ${formatInstant(input.fromAt)} to ${formatInstant(input.toAt)}. Written ${formatInstant(new Date(input.nowMs).toISOString())} from policy revision ${codeSpan(input.revision === "" ? "none" : input.revision)}, jobs on ${escapeMarkdown(input.platformName)}.`,
    "",
    ...remarkLines(
      input,
      kindsWithoutPolicy(input).map((u) => u.title),
    ),
    "## What can be restored",
    "",
    ...summaryLines(judged, input.nowMs, evidence),
    "",
    `A number is a link to its line in [the JSON beside this file](${folder}.json).`,
    "",
    ...notBuiltLines(input),
    `![Measured data loss and time to restore against their targets](${folder}/objectives.svg)`,
    "",
    "## Error budget",
    "",
    ...budgetLines(judged, evidence),
    "",
    "## Failures and what closed them",
    "",
    ...failureLines(verdict.conditions, judged, evidence),
    "",
    "## Coverage",
    "",
    ...coverageLines(input.coverage),
    "",
    "## Checklist",
    "",
    ...checkLines(judged, input.nowMs, evidence),
    "",
    "## Restore drills",
    "",
    ...drillLines(judged, evidence),
    "",
    "## What was pruned and why",
    "",
    ...pruneLines(judged, evidence),
    "",
    "## Waivers",
    "",
    ...waiverLines(input, evidence),
    "",
    "## Policy by policy",
    "",
    ...judged.flatMap((entry) =>
      policyLines(entry, input, `${folder}/${fileSlug(entry.policy.name)}`, evidence),
    ),
    "## How to verify this report yourself",
    "",
    ...verifyLines(input),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function notBuiltLines(input: ReportInput): readonly string[] {
  if (input.notBuilt.length === 0) return [];
  return [
    "**Not protected:** these policies are declared, but the engine for their component does not exist yet. Nothing is captured for them.",
    "",
    ...input.notBuilt.map((n) => `- ${codeSpan(n.policy)} (${escapeMarkdown(n.component)})`),
    "",
  ];
}

function verifyLines(input: ReportInput): readonly string[] {
  const first = input.policies[0]?.policy.name ?? "POLICY";
  return [
    `The drills took their random instants from the seed ${codeSpan(input.seed)}, which was fixed before they ran: nobody could choose an easy one.`,
    input.previousCommit === undefined
      ? "This is the first report of the chain."
      : `The report before this one is in commit ${codeSpan(input.previousCommit)}; the chain of report commits has no other way back.`,
    "",
    "1. `git log --show-signature -- reports/` shows who wrote each report and when.",
    `2. Check out the policies as they were: ${codeSpan(`git checkout ${input.revision === "" ? "REVISION" : input.revision}`)}.`,
    `3. Read every stored byte again: ${codeSpan(`npx holdfast verify ${first} --level 3`)}.`,
    `4. Restore to an instant of your own choice: ${codeSpan(`npx holdfast restore ${first} --at TIME --to FOLDER`)}.`,
    "5. Compare with the JSON beside this file; it holds the same facts without rounding.",
  ];
}
