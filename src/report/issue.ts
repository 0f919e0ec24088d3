/** Text of an issue for one alert. Pure; every text from outside is escaped, and nothing in it mentions anybody. */
import { codeSpan, escapeMarkdown } from "./escape.ts";

export interface IssueFacts {
  readonly name: string;
  readonly severity: string;
  readonly policy: string;
  /** Who answers for the policy; empty when nobody is named. */
  readonly owner: string;
  readonly cluster: string;
  readonly message: string;
  readonly hint: string;
}

/** GitHub takes 65,536 characters; a message of ours is cut far below. */
const longestText = 8_000;
const longestTitle = 200;

export function renderIssue(facts: IssueFacts): { readonly title: string; readonly body: string } {
  const about = facts.policy === "" ? facts.cluster : facts.policy;
  const lines = [
    escapeMarkdown(facts.message.slice(0, longestText)),
    "",
    `| alert | severity | policy | owner | cluster |`,
    "|---|---|---|---|---|",
    `| ${[facts.name, facts.severity, facts.policy || "–", facts.owner || "–", facts.cluster].map(escapeMarkdown).join(" | ")} |`,
    "",
    `Next: ${codeSpan(facts.hint.slice(0, longestText))}`,
    "",
    "This issue is kept up to date and closed by Holdfast once its cause is gone.",
  ];
  return {
    title: `${facts.name}: ${about}`.replaceAll("@", "(at)").slice(0, longestTitle),
    body: lines.join("\n"),
  };
}

/** What a closed issue ends with. `proof` says what mended it, such as the newest point and its level. */
export function renderFarewell(policy: string, isThere: boolean, proof: string): string {
  if (policy !== "" && !isThere)
    return `Policy ${codeSpan(policy)} is no longer in force, so nobody looks any more.`;
  return `The cause is gone. ${escapeMarkdown(proof)}`;
}
