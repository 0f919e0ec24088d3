/** A plan as a pull-request comment: refusals on top, one line per policy, long lists folded away. */
import type { Action, Plan } from "../state/plan.ts";
import { codeSpan, escapeMarkdown, escapeXml, oneLine } from "./escape.ts";
import { code, markdownTable } from "./markdown-table.ts";
import { describeAction, isDestructive } from "./plan-action.ts";
import { count, formatInstant } from "./units.ts";

const openRows = 5;
const mostRows = 100;
/** GitHub refuses comments over 65 536 characters; the rest of the text needs some room too. */
const mostCharacters = 60_000;

/** The comment; never longer than GitHub takes. */
export function renderPlanMarkdown(plan: Plan): string {
  const destructive = plan.actions.filter(isDestructive);
  const head = [
    `### Holdfast plan for ${codeSpan(plan.revision === "" ? "the working folder" : plan.revision)}`,
    "",
    `**${summary(plan, destructive.length)}**`,
    "",
  ];
  if (plan.refusals.length > 0) {
    head.push("#### Refused", "");
    for (const r of plan.refusals.slice(0, mostRows)) {
      head.push(
        `- ⛔ ${codeSpan(r.policy)} ${codeSpan(r.guard)}: ${escapeMarkdown(r.message)}. ${escapeMarkdown(r.hint)}.`,
      );
    }
    if (plan.refusals.length > mostRows) head.push(`- … and ${plan.refusals.length - mostRows} more`);
    head.push("");
  }
  const names = [...new Set(plan.actions.map((a) => a.policy))].sort();
  const parts = names.map((name) =>
    policyPart(
      name,
      plan.actions.filter((a) => a.policy === name),
    ),
  );
  if (names.length > 0) head.push(...summaryTable(plan, names), "");
  const notes = plan.notes
    .slice(0, mostRows)
    .map((n) => `- ${n.severity === "info" ? "ℹ️" : "⚠️"} ${codeSpan(n.policy)}: ${escapeMarkdown(n.message)}`);
  if (plan.notes.length > mostRows) notes.push(`- … and ${plan.notes.length - mostRows} more`);
  const tail = [
    ...(notes.length > 0 ? ["#### Notes", "", ...notes, ""] : []),
    `Computed ${formatInstant(plan.madeAt)}; nothing was changed. Fingerprint ${codeSpan(plan.fingerprint)}.`,
  ];
  return fitComment(head, parts, tail);
}

function summary(plan: Plan, destructive: number): string {
  const refused = plan.refusals.length === 0 ? "" : `, ${plan.refusals.length} refused`;
  if (plan.actions.length === 0) return `Nothing to do${refused}.`;
  const deletes =
    destructive === 0
      ? "no stored data is deleted"
      : `${destructive} of them ${destructive === 1 ? "deletes" : "delete"} stored data`;
  return `${count(plan.actions.length, "action")}, ${deletes}${refused}.`;
}

function summaryTable(plan: Plan, names: readonly string[]): readonly string[] {
  const rows = names.slice(0, mostRows).map((name) => {
    const own = plan.actions.filter((a) => a.policy === name);
    const deletes = own.filter(isDestructive).length;
    const refused = plan.refusals.filter((r) => r.policy === name).length;
    return [code(name), own.length - deletes, deletes === 0 ? 0 : { markup: `**${deletes}**` }, refused];
  });
  const table = markdownTable(["Policy", ">Changes", ">Deletions", ">Refused"], rows);
  return names.length > mostRows ? [...table, "", `… and ${names.length - mostRows} more policies.`] : table;
}

function policyPart(name: string, actions: readonly Action[]): string {
  // What deletes must be seen, so it comes first and is not cut before anything else.
  const ordered = [...actions.filter(isDestructive), ...actions.filter((a) => !isDestructive(a))];
  const rows = ordered
    .slice(0, mostRows)
    .map((a) => [`${isDestructive(a) ? "🗑️ " : ""}${describeAction(a)}`, a.reason]);
  const table = markdownTable(["Action", "Reason"], rows);
  const more = ordered.length > mostRows ? ["", `… and ${ordered.length - mostRows} more.`] : [];
  const title = `${escapeXml(oneLine(name, 100))}: ${count(actions.length, "action")}`;
  const open = actions.length <= openRows ? "<details open>" : "<details>";
  return [open, `<summary>${title}</summary>`, "", ...table, ...more, "", "</details>", ""].join("\n");
}

function fitComment(head: readonly string[], parts: readonly string[], tail: readonly string[]): string {
  const [top, end] = [head.join("\n"), tail.join("\n")];
  const kept: string[] = [];
  let used = top.length + end.length;
  for (const part of parts) {
    if (used + part.length > mostCharacters) break;
    kept.push(part);
    used += part.length + 1;
  }
  const left = parts.length - kept.length;
  if (left > 0)
    kept.push(
      `The lists of ${count(left, "more policy", "more policies")} are too long for one comment; \`holdfast plan\` shows them.\n`,
    );
  // Refusals and notes alone can be too long; what is cut is the end, never the summary on top.
  const all = [top, ...kept, end].join("\n");
  return all.length <= 65_000
    ? `${all}\n`
    : `${all.slice(0, all.lastIndexOf("\n", 65_000))}\n\n… cut; \`holdfast plan\` shows the rest.\n`;
}
