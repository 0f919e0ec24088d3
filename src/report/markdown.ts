/**
 * The weekly report: markdown, its pictures and the same facts as JSON. Pure: the same input gives the same
 * bytes, so that a report commit holds only what changed. Every text from outside is escaped on its way in.
 */

import { pointProof } from "../health/proof.ts";
import { codeSpan, escapeMarkdown, fileSlug } from "./escape.ts";
import type { PolicyReport, ReportInput } from "./input.ts";
import { listPoints, pointStatus } from "./json.ts";
import { renderIndex } from "./markdown-index.ts";
import { checkLines, drillLines, failureLines, policyLines, pruneLines } from "./markdown-policy.ts";
import { type Cell, code, markdownTable } from "./markdown-table.ts";
import { badgeSvg } from "./svg-badge.ts";
import { checksSvg } from "./svg-checks.ts";
import { objectivesSvg } from "./svg-objectives.ts";
import { reachSvg } from "./svg-reach.ts";
import { sizesSvg } from "./svg-sizes.ts";
import { formatAge, formatBytes, formatInstant, formatSeconds, isoWeek } from "./units.ts";
import { moodSign, overallVerdict, proofSign } from "./verdict.ts";

/** `2026/W47`: the ISO week the report's time ends in. */
export function reportName(input: Pick<ReportInput, "toAt" | "nowMs">): string {
  const toMs = Date.parse(input.toAt);
  // A span that ends on Monday 00:00 is the report of the week before.
  return isoWeek((Number.isNaN(toMs) ? input.nowMs : toMs) - 1).name;
}

/** Files by path below the reports folder: the report, its pictures, its JSON and the index. */
export function renderReport(input: ReportInput): ReadonlyMap<string, string> {
  const name = reportName(input);
  const files = new Map<string, string>();
  const pictures = drawPictures(input, name);
  for (const [path, svg] of pictures) files.set(path, svg);
  files.set(`${name}.md`, reportMarkdown(input, name));
  files.set(`${name}.json`, `${JSON.stringify(reportFacts(input, name), null, 2)}\n`);
  files.set("README.md", renderIndex(input, name));
  files.set("badge.svg", badgeSvg(input));
  return files;
}

function drawPictures(input: ReportInput, name: string): ReadonlyMap<string, string> {
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
  for (const entry of input.policies) {
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
    const since = points[0]?.manifest.finishedAt;
    files.set(
      `${slug}-checks.svg`,
      checksSvg({
        policy: policy.name,
        checks: policy.verification.checks,
        verdicts: points.flatMap((p) => p.verdicts),
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

function reportMarkdown(input: ReportInput, name: string): string {
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
    "## What can be restored",
    "",
    ...summaryTable(input),
    "",
    ...notBuiltLines(input),
    `![Measured data loss and time to restore against their targets](${folder}/objectives.svg)`,
    "",
    "## Failures and what to do",
    "",
    ...failureLines(verdict.conditions, input.policies),
    "",
    "## Checklist",
    "",
    ...checkLines(input),
    "",
    "## Restore drills",
    "",
    ...drillLines(input),
    "",
    "## What was pruned and why",
    "",
    ...pruneLines(input),
    "",
    "## Policy by policy",
    "",
    ...input.policies.flatMap((entry) =>
      policyLines(entry, input.nowMs, `${folder}/${fileSlug(entry.policy.name)}`),
    ),
    "## How to verify this report yourself",
    "",
    ...verifyLines(input),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function summaryTable(input: ReportInput): readonly string[] {
  const rows = input.policies.map(({ policy, health }): readonly Cell[] => {
    const { measured, target } = health;
    return [
      code(policy.name),
      `${proofSign[health.proof]} ${health.proof}`,
      health.proven === undefined
        ? "none"
        : `level ${health.proven.level}, ${formatAge(health.proven.at, input.nowMs)}`,
      health.pointsCount === 0 ? "nothing" : String(health.pointsCount),
      health.oldest === undefined ? "–" : `${formatInstant(health.oldest.at)}`,
      { markup: exposure(health.exposureSeconds, target.rpoSeconds) },
      { markup: against(measured.rpoSeconds, target.rpoSeconds) },
      { markup: against(measured.rtoSeconds, target.rtoSeconds) },
      formatBytes(health.sizeBytes),
    ];
  });
  if (rows.length === 0) return ["No policy is in force."];
  return markdownTable(
    [
      "Policy",
      "Proof",
      "Newest restore",
      ">Points",
      "Back to",
      ">A disaster now costs",
      ">RPO measured / target",
      ">RTO measured / target",
      ">Stored",
    ],
    rows,
  );
}

function exposure(seconds: number | undefined, target: number): string {
  if (seconds === undefined) return "**everything**";
  return seconds > target ? `**${formatSeconds(seconds)}**` : formatSeconds(seconds);
}

function against(measured: number | undefined, target: number): string {
  if (measured === undefined) return `not measured / ${formatSeconds(target)}`;
  const text = `${formatSeconds(measured)} / ${formatSeconds(target)}`;
  return measured > target ? `**${text} missed**` : text;
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

/** The same facts without rounding and without words. */
function reportFacts(input: ReportInput, name: string): Readonly<Record<string, unknown>> {
  const verdict = overallVerdict(
    input.policies.map((p) => p.health),
    input.notBuilt,
  );
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Report",
    name,
    cluster: input.cluster,
    revision: input.revision,
    seed: input.seed,
    fromAt: input.fromAt,
    toAt: input.toAt,
    writtenAt: new Date(input.nowMs).toISOString(),
    platform: input.platformName,
    previousCommit: input.previousCommit ?? null,
    ok: verdict.mood === "good",
    sentence: verdict.sentence,
    notBuilt: input.notBuilt,
    policies: input.policies.map((entry) => ({
      policy: entry.policy.name,
      health: entry.health,
      catalogueRead: entry.catalogue !== undefined,
      points: entry.catalogue === undefined ? [] : listPoints([entry.catalogue], input.nowMs),
      prune: entry.prune,
      drills: entry.drills,
      failedRuns: entry.runs.filter((r) => r.outcome === "failed" || r.outcome === "lost"),
      held: (entry.catalogue?.points ?? [])
        .filter((p) => pointStatus(p, input.nowMs) === "held")
        .map((p) => p.manifest.id),
    })),
  };
}
