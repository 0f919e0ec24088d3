/** Text of an issue for one alert. Pure; every text from outside is escaped, and nothing in it mentions anybody. */
import { codeSpan, escapeMarkdown, oneLine } from "./escape.ts";

export interface IssueFacts {
  readonly name: string;
  readonly severity: string;
  readonly policy: string;
  /** Who answers for the policy; empty when nobody is named. */
  readonly owner: string;
  readonly cluster: string;
  readonly message: string;
  readonly hint: string;
  /** ISO instant at which the cause was seen first. */
  readonly since: string;
  readonly state: IssueState;
  /** End of the log of the run that failed, redacted. */
  readonly log?: { readonly job: string; readonly text: string };
}

export type IssueState =
  | { readonly kind: "holds" }
  /** Seen no more, and not proved: `text` says what is missing, `next` how to get it. */
  | { readonly kind: "unproved"; readonly overAt: string; readonly text: string; readonly next: string }
  | { readonly kind: "mended"; readonly overAt: string; readonly text: string }
  /** Nobody looks any more: the policy has left. */
  | { readonly kind: "gone"; readonly overAt: string };

/** GitHub takes 65,536 characters; a message of ours is cut far below. */
const longestText = 8_000;
const longestTitle = 200;
const longestLogLines = 40;
const longestLogLine = 300;

export function renderIssue(facts: IssueFacts): { readonly title: string; readonly body: string } {
  const about = facts.policy === "" ? facts.cluster : facts.policy;
  const isOver = facts.state.kind !== "holds";
  const lines = [
    escapeMarkdown(facts.message, longestText),
    "",
    `| alert | severity | policy | owner | cluster | since |`,
    "|---|---|---|---|---|---|",
    `| ${[facts.name, facts.severity, facts.policy || "–", facts.owner || "–", facts.cluster, facts.since].map((t) => escapeMarkdown(t)).join(" | ")} |`,
    "",
    ...stateLines(facts),
    ...(facts.log === undefined || isOver ? [] : ["", ...logLines(facts.log)]),
  ];
  return {
    title: oneLine(`${facts.name}: ${about}`.replaceAll("@", "(at)"), longestTitle),
    body: lines.join("\n"),
  };
}

function stateLines({ state, hint, policy }: IssueFacts): readonly string[] {
  switch (state.kind) {
    case "holds":
      return [
        `Next: ${codeSpan(hint, longestText)}`,
        "",
        "Holdfast keeps this issue up to date and closes it with the proof that mended it.",
      ];
    case "unproved":
      return [
        `Not seen since ${state.overAt}, and not proved to be mended: ${escapeMarkdown(state.text)}`,
        "",
        `Next: ${codeSpan(state.next)}`,
        "",
        "Holdfast closes this issue with the proof.",
      ];
    case "mended":
      return [`Not seen since ${state.overAt}. **Closed by proof:** ${escapeMarkdown(state.text)}`];
    case "gone":
      return [
        `Policy ${codeSpan(policy)} is no longer in force, so nobody looks any more. Nothing was proved.`,
      ];
  }
}

function logLines({ job, text }: { readonly job: string; readonly text: string }): readonly string[] {
  const tail = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-longestLogLines)
    .map((line) => oneLine(line, longestLogLine));
  if (tail.length === 0) return [];
  // A fence is ended by one at least as long; none of the lines can hold a longer one.
  const longest = Math.max(
    0,
    ...tail.flatMap((line) => line.match(/`+/g) ?? []).map((ticks) => ticks.length),
  );
  const fence = "`".repeat(Math.max(3, longest + 1));
  return [
    `<details><summary>End of the log of ${codeSpan(job)}</summary>`,
    "",
    `${fence}text`,
    ...tail,
    fence,
    "",
    "</details>",
  ];
}
