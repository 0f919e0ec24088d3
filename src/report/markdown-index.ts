/** `reports/README.md`: the newest verdict on top and a table of all reports, newest first. */
import { escapeMarkdown } from "./escape.ts";
import type { ReportInput } from "./input.ts";
import { formatInstant } from "./units.ts";
import { moodSign, overallVerdict } from "./verdict.ts";

const reportNamePattern = /^\d{4}\/W\d{2}$/;

/** `name` is the report just written; names that are none of ours are left out. */
export function renderIndex(input: ReportInput, name: string): string {
  const verdict = overallVerdict(
    input.policies.map((p) => p.health),
    input.notBuilt,
  );
  const names = [...new Set([...input.existing.filter((n) => reportNamePattern.test(n)), name])]
    .sort()
    .reverse();
  const latest = names[0] ?? name;
  const lines = [
    "# Verification reports",
    "",
    "![The newest verdict and its day](badge.svg)",
    "",
    "Written by `holdfast report`; never edited by hand.",
    "",
    ...(latest === name
      ? [
          `${moodSign[verdict.mood]} **[${label(name)}](${name}.md): ${escapeMarkdown(verdict.sentence, 600)}**`,
        ]
      : [`The newest report is [${label(latest)}](${latest}.md).`]),
    "",
    "| Report | Facts |",
    "| --- | --- |",
    ...names.map((n) => `| [${label(n)}](${n}.md) | [JSON](${n}.json) |`),
    "",
    "The day nothing else is left: [RESTORE.md](RESTORE.md), how each component comes back without Holdfast.",
    "",
    `Last written ${formatInstant(new Date(input.nowMs).toISOString())}.`,
  ];
  return `${lines.join("\n")}\n`;
}

function label(name: string): string {
  return name.replace("/", "-");
}
