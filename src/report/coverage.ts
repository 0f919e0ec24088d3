/** What is in a backup and what is not: for a terminal, and as a section of the report. */
import { type Coverage, type CoverageItem, isAllCovered, type WaiverOf } from "../health/coverage.ts";
import { codeSpan, escapeMarkdown, oneLine } from "./escape.ts";
import { type Cell, capped, code } from "./markdown-table.ts";
import { type Paint, textTable } from "./text-table.ts";
import { count } from "./units.ts";

export interface CoverageTextOptions {
  readonly columns: number;
  readonly paint: Paint;
  /** Show what is covered and set aside too. */
  readonly all: boolean;
}

/** What needs somebody first, the verdict last. */
export function renderCoverage(coverage: Coverage, options: CoverageTextOptions): string {
  const { paint } = options;
  const shown = coverage.items.filter((i) => options.all || i.class === "uncovered" || i.class === "waived");
  const colours = { uncovered: paint.bad, waived: paint.warn, "set-aside": paint.dim, covered: paint.good };
  const table = textTable(
    [{ heading: "STATE" }, { heading: "SOURCE" }, { heading: "THING" }, { heading: "WHY", elastic: true }],
    shown.map((i) => [{ text: i.class, paint: colours[i.class] }, i.source, i.item, whyOf(i)]),
    options,
  );
  const unknown = coverage.unknown.flatMap(({ policy, cause }) => [
    `${paint.warn("unknown")} ${paint.bold(oneLine(policy))}: ${oneLine(cause)}`,
  ]);
  const unused = coverage.unusedWaivers.map(
    ({ policy, item }) =>
      `${paint.warn("unused")} ${paint.bold(oneLine(policy))}: the waiver of ${oneLine(item)} accepts nothing; remove it`,
  );
  const blocks = [shown.length === 0 ? [] : table, unknown, unused].filter((b) => b.length > 0);
  return [...blocks.flatMap((b) => [...b, ""]), ...verdict(coverage, paint)].join("\n");
}

function verdict(coverage: Coverage, paint: Paint): readonly string[] {
  const text = `${summaryOf(coverage)}${coverage.unknown.length === 0 ? "" : ", not everything could be seen"}`;
  if (isAllCovered(coverage)) return [paint.good(text)];
  const uncovered = numberOf(coverage, "uncovered");
  return [
    uncovered > 0 ? paint.bad(text) : paint.warn(text),
    ...(uncovered > 0
      ? [paint.dim("next: take it into a policy, or accept it in spec.coverage.waivers until a date")]
      : []),
  ];
}

function numberOf({ items }: Coverage, kind: CoverageItem["class"]): number {
  return items.filter((i) => i.class === kind).length;
}

function summaryOf(coverage: Coverage): string {
  const [uncovered, waived] = [numberOf(coverage, "uncovered"), numberOf(coverage, "waived")];
  return `${count(coverage.items.length, "thing")} seen: ${numberOf(coverage, "covered")} in a backup, ${numberOf(coverage, "set-aside")} set aside, ${waived} accepted, ${uncovered} in no backup`;
}

function whyOf(item: CoverageItem): string {
  if (item.class === "covered") return item.policies.join(", ");
  if (item.waiver === undefined) return item.reason;
  return item.class === "waived"
    ? `accepted until ${item.waiver.until} by ${item.waiver.owner}: ${item.waiver.reason}`
    : `its waiver ended on ${item.waiver.until}; ${item.reason}`;
}

/** Undefined where nobody has looked. */
export function coverageLines(coverage: Coverage | undefined): readonly string[] {
  if (coverage === undefined) return ["Nobody has looked at what else the sources hold."];
  const uncovered = coverage.items.filter((i) => i.class === "uncovered");
  const waived = coverage.items.filter((i) => i.class === "waived");
  return [
    `${escapeMarkdown(summaryOf(coverage))}.`,
    ...section(
      ["In no backup", "Source", "Why"],
      uncovered.map((i): readonly Cell[] => [code(i.item), i.source, whyOf(i)]),
    ),
    ...section(
      ["Accepted", "Source", "Reason", "Owner", "Until"],
      waived.map((i): readonly Cell[] => [
        code(i.item),
        i.source,
        i.waiver?.reason ?? "",
        i.waiver?.owner ?? "",
        i.waiver?.until ?? "",
      ]),
    ),
    ...listed(
      "**Not known**, because it could not be looked at:",
      coverage.unknown.map((u) => `${codeSpan(u.policy)}: ${escapeMarkdown(u.cause)}`),
    ),
    ...listed(
      "Waivers that accept nothing any more:",
      coverage.unusedWaivers.map((w: WaiverOf) => `${codeSpan(w.item)} in ${codeSpan(w.policy)}`),
    ),
  ];
}

function listed(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", heading, "", ...lines.map((line) => `- ${line}`)];
}

function section(headings: readonly string[], rows: readonly (readonly Cell[])[]): readonly string[] {
  return rows.length === 0 ? [] : ["", ...capped(headings, rows)];
}
