/**
 * A review as the one comment of a pull request. The first line says in words what becomes unrestorable and
 * when. Everything from the policies is escaped here, because a stranger may have written it.
 */
import type { Severity } from "../finding.ts";
import type { Figures, PolicyChange } from "../plan/outlook.ts";
import { breachesOf } from "../plan/outlook.ts";
import type { Review, ReviewFinding } from "../plan/review.ts";
import { codeSpan, escapeMarkdown, oneLine } from "./escape.ts";
import { type Cell, code, markdownTable } from "./markdown-table.ts";
import { reviewVerdict } from "./review-verdict.ts";
import { count, formatBytes, formatInstant, formatSeconds } from "./units.ts";

/** By this line the comment is found again and edited in place. */
export const reviewMarker = "<!-- holdfast-review -->";

/** GitHub refuses longer comments. */
export const mostCommentCharacters = 65_536;

const mostRows = 60;
const mostFindings = 50;
const mostFenceCharacters = 20_000;

export interface ReviewLinks {
  /** Commit of the pull request, where the one reviewed is its merge onto the base. */
  readonly commit?: string;
  /** `owner/name` whose run has computed the review, where that is not the repository of the policies. */
  readonly fork?: string;
  /** Page of a rule, without its ending `/`: `https://host/owner/name/blob/main/docs/rules`. */
  readonly rules?: string;
  /** Files of the commit: `https://host/owner/name/blob/<commit>`; absent where they are not to be linked. */
  readonly files?: string;
}

/** The whole comment, at most `mostCommentCharacters` long, marker included. */
export function renderReviewComment(review: Review, links: ReviewLinks): string {
  const head = [reviewMarker, reviewVerdict(review), ""];
  const breaches = review.outlook === null ? [] : breachesOf(review.outlook);
  const parts: (readonly string[])[] = [
    breaches.length === 0
      ? []
      : [
          "#### Breaches",
          "",
          ...breaches
            .slice(0, mostRows)
            .map((b) => `- ⛔ ${codeSpan(b.policy)} from ${b.on}: ${escapeMarkdown(b.message)}`),
          ...more(breaches.length, mostRows),
          "",
        ],
    figuresPart(review),
    findingsPart(review, links),
    notesPart(review),
    planPart(review),
  ];
  const tail = [
    ...(links.fork === undefined
      ? []
      : [
          `A run of ${escapeMarkdown(links.fork)} has computed this, under the control of whoever wrote the change; the command below computes it again.`,
          "",
        ]),
    `Commit ${commitWords(review, links)}, base ${codeSpan(review.base.revision)}, points as of ${formatInstant(review.asOf)}.`,
    `Plan hash ${codeSpan(review.hash)}. The same again: ${codeSpan(review.command, 1000)}`,
    "",
  ];
  return withinLimit(head, parts, tail);
}

function commitWords({ head }: Review, { commit }: ReviewLinks): string {
  const reviewed = codeSpan(head.revision || "working copy");
  return commit === undefined || commit === head.revision
    ? reviewed
    : `${codeSpan(commit)}, merged as ${reviewed}`;
}

function more(all: number, shown: number): readonly string[] {
  return all > shown ? [`- … and ${all - shown} more`] : [];
}

/** Whole parts are left out, the least important first, before a comment would be too long. */
function withinLimit(
  head: readonly string[],
  parts: readonly (readonly string[])[],
  tail: readonly string[],
): string {
  const note = "… the rest is too long for a comment; the command below shows it.";
  const room = mostCommentCharacters - head.join("\n").length - tail.join("\n").length - note.length - 10;
  const kept: string[] = [];
  let used = 0;
  let cut = false;
  for (const part of parts) {
    const text = part.join("\n");
    if (used + text.length + 1 > room) {
      cut = true;
      continue;
    }
    if (text === "") continue;
    kept.push(text);
    used += text.length + 1;
  }
  const all = [...head, ...kept, ...(cut ? [note, ""] : []), ...tail].join("\n");
  // A runner that prints this must not take a part of it for a command of its own.
  return all.replaceAll("##[", "#\u200b#[").replace(/^(\s*)::/gmu, "$1:\u200b:");
}

const cellOf = (before: string, after: string): Cell =>
  before === after ? after : { markup: `${escapeMarkdown(before)} → **${escapeMarkdown(after)}**` };

function figuresPart({ outlook, catalogueKnown }: Review): readonly string[] {
  if (outlook === null || outlook.changes.length === 0) return [];
  const order = (c: PolicyChange) => (c.breaches.length > 0 ? 0 : c.kind === "same" ? 2 : 1);
  const changes = [...outlook.changes].sort((a, b) => order(a) - order(b));
  const rows = changes.slice(0, mostRows).map((change) => {
    const pair = (show: (f: Figures) => string): Cell =>
      cellOf(
        change.before === null ? "–" : show(change.before),
        change.after === null ? "–" : show(change.after),
      );
    return [
      code(change.policy),
      change.component,
      pair((f) => (f.lossMs === null ? "unbounded" : formatSeconds(f.lossMs / 1000))),
      pair((f) => days(f.reachMs)),
      pair((f) => (f.windowMs === 0 ? "–" : days(f.windowMs))),
      pair((f) => String(f.points)),
      pair((f) => formatBytes(f.sizeBytes)),
      pair((f) => f.costPerMonth.toFixed(2)),
    ];
  });
  return [
    ...markdownTable(
      ["Policy", "Component", "RPO", ">Reach", ">PITR window", ">Points", ">Bytes", ">Cost"],
      rows,
    ),
    ...(changes.length > mostRows ? ["", `… and ${changes.length - mostRows} more policies.`] : []),
    "",
    `<sub>Before → after, as it stands ${count(outlook.days, "day")} from now${catalogueKnown ? "" : ", without the stored points, which nobody could read here"}; cost a month at ${outlook.pricePerGibMonth} per GiB.</sub>`,
    "",
  ];
}

function days(ms: number): string {
  return ms < 86_400_000 ? formatSeconds(ms / 1000) : `${Math.floor(ms / 86_400_000)} d`;
}

const signs: Readonly<Record<Severity, string>> = { error: "❌", warning: "⚠️", info: "ℹ️" };

function findingsPart({ findings, findingCounts }: Review, links: ReviewLinks): readonly string[] {
  const { error, warning, info } = findingCounts;
  const all = error + warning + info;
  if (all === 0) return ["Lint: no findings.", ""];
  const weight: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };
  const shown = [...findings]
    .sort((a, b) => weight[a.severity] - weight[b.severity])
    .slice(0, mostFindings)
    .map(
      (f) =>
        `- ${signs[f.severity]} ${ruleLink(f.rule, links)} ${placeLink(f, links)}: ${escapeMarkdown(f.message)}`,
    );
  return [
    `#### Lint: ${count(error, "error")}, ${count(warning, "warning")}, ${info} info`,
    "",
    ...shown,
    ...more(all, shown.length),
    "",
  ];
}

function ruleLink(rule: string, { rules }: ReviewLinks): string {
  if (rules === undefined || !/^[a-z0-9]+(-[a-z0-9]+)*\/[a-z0-9]+(-[a-z0-9]+)*$/.test(rule))
    return codeSpan(rule, 60);
  return `[\`${rule}\`](${rules}/${rule.replace("/", "-")}.md)`;
}

function placeLink({ file, line, column }: ReviewFinding, { files }: ReviewLinks): string {
  const text = codeSpan(`${file}:${line}:${column}`, 120);
  if (files === undefined || file.startsWith("..") || file.startsWith("/")) return text;
  const path = file
    .split("/")
    .map((part) => encodeURIComponent(part.toWellFormed()).replace(/[()!'*]/g, (c) => `%${hex(c)}`))
    .join("/");
  return `[${text}](${files}/${path}#L${line})`;
}

function hex(sign: string): string {
  return sign.charCodeAt(0).toString(16).toUpperCase();
}

function notesPart({ notes }: Review): readonly string[] {
  if (notes.length === 0) return [];
  const shown = notes.slice(0, mostRows).map((n) => `- ${codeSpan(n.policy)}: ${escapeMarkdown(n.message)}`);
  return ["#### Notes", "", ...shown, ...more(notes.length, mostRows), ""];
}

/** Jobs and stored points as a diff, folded; cut by whole lines, and what is cut is counted. */
function planPart({ jobs, outlook }: Review): readonly string[] {
  const lines = [
    ...jobs.created.map((key) => `+ job ${key}`),
    ...jobs.updated.map((key) => `! job ${key}`),
    ...jobs.removed.map((key) => `- job ${key}`),
    ...(outlook?.changes ?? []).flatMap((change) =>
      change.lost.map(
        (p) =>
          `- point ${change.policy} ${p.id} goes on ${p.lostOn}, ${p.keptUntil === null ? `not within ${outlook?.days} days` : `not before ${p.keptUntil}`} without the change${p.proven ? "; it is proved" : ""}`,
      ),
    ),
  ].map((line) => oneLine(line, 300).replaceAll("`", "'"));
  if (lines.length === 0) return [];
  const shown: string[] = [];
  let used = 0;
  for (const line of lines) {
    used += line.length + 1;
    if (used > mostFenceCharacters) break;
    shown.push(line);
  }
  const rest = lines.length - shown.length;
  return [
    `<details><summary>The plan: ${count(lines.length, "line")}</summary>`,
    "",
    "```diff",
    ...shown,
    ...(rest > 0 ? [`# … and ${rest} more`] : []),
    "```",
    "",
    "</details>",
    "",
  ];
}
