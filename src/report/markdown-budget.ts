/** The summary of the report: what can be restored, and how much of the time the promise was kept. */
import { allowedShare } from "../health/error-budget.ts";
import type { Evidence } from "./evidence.ts";
import type { JudgedPolicy } from "./judged.ts";
import { type Cell, code, type Markup, markdownTable } from "./markdown-table.ts";
import { formatAge, formatBytes, formatInstant, formatSeconds } from "./units.ts";
import { proofSign } from "./verdict.ts";

/** One row per policy: proof, how far back, what a disaster costs, measured against promised. */
export function summaryLines(
  judged: readonly JudgedPolicy[],
  nowMs: number,
  { link }: Evidence,
): readonly string[] {
  if (judged.length === 0) return ["No policy is in force."];
  const rows = judged.map(({ policy, health, index }): readonly Cell[] => {
    const { measured, target, proven, oldest } = health;
    const at = `/policies/${index}/health`;
    return [
      code(policy.name),
      `${proofSign[health.proof]} ${health.proof}`,
      proven === undefined
        ? "none"
        : {
            markup: [
              code(proven.id).markup,
              link(`level ${proven.level}`, `${at}/proven/level`).markup,
              link(formatAge(proven.at, nowMs), `${at}/proven/at`).markup,
            ].join(" "),
          },
      health.pointsCount === 0 ? "nothing" : link(health.pointsCount, `${at}/pointsCount`),
      oldest === undefined ? "–" : link(formatInstant(oldest.at), `${at}/oldest/at`),
      exposure(health.exposureSeconds, target.rpoSeconds, at, link),
      against(measured.rpoSeconds, target.rpoSeconds, at, "rpoSeconds", link),
      against(measured.rtoSeconds, target.rtoSeconds, at, "rtoSeconds", link),
      link(formatBytes(health.sizeBytes), `${at}/sizeBytes`),
    ];
  });
  return markdownTable(
    [
      "Policy",
      "Proof",
      "Newest proven point",
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

function exposure(seconds: number | undefined, target: number, at: string, link: Evidence["link"]): Cell {
  if (seconds === undefined) return { markup: "**everything**" };
  const cell = link(formatSeconds(seconds), `${at}/exposureSeconds`);
  return seconds > target ? strong(cell) : cell;
}

function against(
  measured: number | undefined,
  target: number,
  at: string,
  field: "rpoSeconds" | "rtoSeconds",
  link: Evidence["link"],
): Cell {
  const promised = link(formatSeconds(target), `${at}/target/${field}`).markup;
  if (measured === undefined) return { markup: `not measured / ${promised}` };
  const found = link(formatSeconds(measured), `${at}/measured/${field}`).markup;
  const text = `${found} / ${promised}`;
  return measured > target ? strong({ markup: `${text} missed` }) : { markup: text };
}

function strong({ markup }: Markup): Markup {
  return { markup: `**${markup}**` };
}

/** How long the RPO was missed against how long it may be, and how many restores held the RTO. */
export function budgetLines(judged: readonly JudgedPolicy[], { link }: Evidence): readonly string[] {
  const share = link(`${allowedShare * 100} %`, "/allowedShare").markup;
  const words = [
    `A disaster costs what was written since the newest instant that could be restored. The budget lets that be more than the RPO for ${share} of the judged time, which begins where the report's time does or with the end of the first capture.`,
    "It is counted from what the store holds now: log that came late counts as there, a point whose newest verification failed does not, a point pruned since counts for its time.",
  ].join(" ");
  const rows = judged.map((entry): readonly Cell[] => {
    const { policy, budget, restores, index, health } = entry;
    const at = `/policies/${index}`;
    const rto =
      restores.count === 0
        ? "none measured"
        : {
            markup: `${link(restores.withinRto, `${at}/restores/withinRto`).markup} of ${link(restores.count, `${at}/restores/count`).markup}`,
          };
    if (budget === undefined) return [code(policy.name), "⚪ nothing to judge", "–", "–", "–", "–", "–", rto];
    const isSpent = budget.missedSeconds > budget.allowedSeconds;
    const state = budget.missedSeconds === 0 ? "🟢 untouched" : isSpent ? "🔴 **spent**" : "🟡 in use";
    return [
      code(policy.name),
      { markup: state },
      link(formatInstant(budget.judgedFromAt), `${at}/budget/judgedFromAt`),
      link(formatSeconds(health.target.rpoSeconds), `${at}/health/target/rpoSeconds`),
      link(`${budget.metPercent} %`, `${at}/budget/metPercent`),
      {
        markup: `${link(formatSeconds(budget.missedSeconds), `${at}/budget/missedSeconds`).markup} / ${link(formatSeconds(budget.allowedSeconds), `${at}/budget/allowedSeconds`).markup}`,
      },
      link(formatSeconds(budget.worstSeconds), `${at}/budget/worstSeconds`),
      rto,
    ];
  });
  if (rows.length === 0) return [words];
  const headings = [
    "Policy",
    "Budget",
    "Judged from",
    ">RPO",
    ">Time it was met",
    ">Missed / allowed",
    ">Worst",
    ">Restores within RTO",
  ];
  return [words, "", ...markdownTable(headings, rows)];
}
