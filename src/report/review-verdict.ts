/** The first line of a review: what becomes unrestorable and when, in words, or that nothing does. */
import { breachesOf, type PolicyChange } from "../plan/outlook.ts";
import type { Review } from "../plan/review.ts";
import { codeSpan } from "./escape.ts";
import { count } from "./units.ts";

const mostSentences = 3;

/** One line of markdown. */
export function reviewVerdict(review: Review): string {
  const { outlook, findingCounts, catalogueKnown } = review;
  if (outlook === null) {
    return `❌ **Nobody can say what this does to the backups: the policies have ${count(findingCounts.error, "error")}.**`;
  }
  const told = outlook.changes.flatMap((change) => {
    const sentence = sentenceOf(change, outlook.fromMs, catalogueKnown);
    return sentence === undefined ? [] : [{ change, sentence }];
  });
  const worstFirst = [...told].sort((a, b) => b.change.breaches.length - a.change.breaches.length);
  const sentences = worstFirst.slice(0, mostSentences).map((t) => t.sentence);
  const rest = told.length - sentences.length;
  const sign = breachesOf(outlook).length > 0 ? "⛔" : told.length > 0 ? "⚠️" : "✅";
  if (told.length === 0) {
    // Green is for a change that can be merged as it stands.
    if (findingCounts.error > 0) {
      return `❌ **Lint refuses this change with ${count(findingCounts.error, "error")}; by the policies ${catalogueKnown ? "and the stored points " : ""}nothing becomes unrestorable.**`;
    }
    return catalogueKnown
      ? `${sign} **Nothing that can be restored becomes unrestorable by this change.**`
      : `${sign} **By the policies alone nothing becomes unrestorable by this change; the stored points could not be read here.**`;
  }
  const more = rest > 0 ? ` ${count(rest, "more policy", "more policies")} below.` : "";
  return `${sign} **${sentences.join(" ")}${more}**`;
}

function sentenceOf(change: PolicyChange, fromMs: number, catalogueKnown: boolean): string | undefined {
  const name = codeSpan(change.policy);
  const today = dateOf(fromMs);
  const points = catalogueKnown ? count(change.orphaned, "stored point") : "stored points";
  switch (change.kind) {
    case "removed":
      return `From ${today} on nothing captures ${name} and no policy restores its ${points}; no byte is deleted.`;
    case "moved":
      return catalogueKnown && change.orphaned === 0
        ? undefined
        : `From ${today} on the ${points} of ${name} can no longer be restored by its policy, which looks elsewhere; no byte is deleted.`;
    case "stopped":
      return `From ${today} on ${name} is captured no more; what is stored stays.`;
    default:
      return lossOf(change, name, catalogueKnown);
  }
}

function lossOf(change: PolicyChange, name: string, catalogueKnown: boolean): string | undefined {
  const { lost, breaches } = change;
  const first = lost[0];
  if (first !== undefined) {
    const oldest = lost.reduce((least, p) => Math.min(least, p.atMs), Number.POSITIVE_INFINITY);
    const newest = lost.reduce((most, p) => Math.max(most, p.atMs), 0);
    const [from, to] = [dateOf(oldest), dateOf(newest)];
    const taken = from === to ? `of ${from}` : `taken ${from} to ${to}`;
    const reach = reachWords(change);
    return `From ${first.lostOn} on ${count(lost.length, "stored point")} of ${name}, ${taken}, can no longer be restored${reach}.`;
  }
  if (change.shrinksOn !== null) {
    return `From ${change.shrinksOn} on ${name} can be restored less far back${reachWords(change)}; ${catalogueKnown ? "no point stored today is lost earlier" : "the stored points could not be read here"}.`;
  }
  const breach = breaches[0];
  return breach === undefined ? undefined : `From ${breach.on} on ${name} breaks its promise.`;
}

function reachWords({ before, after }: PolicyChange): string {
  if (before === null || after === null) return "";
  const days = (ms: number) => Math.floor(ms / 86_400_000);
  if (days(after.reachMs) < days(before.reachMs)) {
    return `; in the end the oldest point is ${count(days(after.reachMs), "day")} old and not ${days(before.reachMs)}`;
  }
  if (days(after.windowMs) < days(before.windowMs)) {
    return `; in the end any instant of ${count(days(after.windowMs), "day")} can be chosen and not of ${days(before.windowMs)}`;
  }
  return "";
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
