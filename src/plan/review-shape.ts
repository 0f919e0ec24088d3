/**
 * A review that comes from elsewhere, such as from a runner on which a stranger's commit ran: taken apart field by
 * field and put together anew, so that nothing in it is trusted beyond being text, a number or a date.
 */
import type { Severity } from "../finding.ts";
import type { Breach, Figures, LostPoint, Outlook, PolicyChange } from "./outlook.ts";
import type { Review, ReviewFinding, ReviewSide } from "./review.ts";

/** Thrown inside and never past `parseReview`. */
class Misfit extends Error {}

type Parse<T> = (value: unknown) => T;

const longestText = 4000;
const longestList = 200_000;

const text: Parse<string> = (value) => {
  if (typeof value !== "string" || value.length > longestText) throw new Misfit("text");
  return value;
};
const matching =
  (pattern: RegExp): Parse<string> =>
  (value) => {
    const found = text(value);
    if (!pattern.test(found)) throw new Misfit(String(pattern));
    return found;
  };
const number: Parse<number> = (value) => {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Misfit("number");
  return value;
};
const whole: Parse<number> = (value) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Misfit("whole number");
  return value as number;
};
const flag: Parse<boolean> = (value) => {
  if (typeof value !== "boolean") throw new Misfit("boolean");
  return value;
};
const orNull =
  <T>(parse: Parse<T>): Parse<T | null> =>
  (value) =>
    value === null ? null : parse(value);
const list =
  <T>(parse: Parse<T>): Parse<readonly T[]> =>
  (value) => {
    if (!Array.isArray(value) || value.length > longestList) throw new Misfit("list");
    return value.map(parse);
  };
const word = <T extends string>(...words: readonly T[]): Parse<T> => {
  return (value) => {
    const found = words.find((w) => w === value);
    if (found === undefined) throw new Misfit(words.join(" or "));
    return found;
  };
};
/** Exactly the named fields; what else stands there is dropped. */
const fields =
  <T>(parsers: { readonly [K in keyof T]-?: Parse<T[K]> }): Parse<T> =>
  (value) => {
    if (typeof value !== "object" || value === null) throw new Misfit("object");
    const given = value as Readonly<Record<string, unknown>>;
    const entries = Object.entries<Parse<unknown>>(parsers);
    return Object.fromEntries(entries.map(([name, parse]) => [name, parse(given[name])])) as T;
  };

const date = matching(/^\d{4}-\d\d-\d\d$/);
const sha256 = matching(/^[0-9a-f]{64}$/);
const severity = word<Severity>("error", "warning", "info");
/** Of the program itself, its options and plain words: a comment must not advise to run something else. */
const command = matching(/^holdfast plan(?: --[a-z-]+(?: (?:[\w./:@%^~+-]+|'[\w ./:@%^~+,()-]*'))?)*$/);

const side = fields<ReviewSide>({
  revision: matching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})?$/),
  digest: sha256,
});
const figures = fields<Figures>({
  lossMs: orNull(number),
  reachMs: number,
  windowMs: number,
  points: number,
  sizeBytes: number,
  costPerMonth: number,
});
const lostPoint = fields<LostPoint>({
  id: text,
  atMs: number,
  lostOn: date,
  keptUntil: orNull(date),
  proven: flag,
});
const breach = fields<Breach>({
  policy: text,
  kind: word<Breach["kind"]>("reach", "window", "loss", "proven", "held"),
  on: date,
  message: text,
});
const change = fields<PolicyChange>({
  policy: text,
  component: text,
  kind: word<PolicyChange["kind"]>("added", "removed", "moved", "stopped", "changed", "same"),
  before: orNull(figures),
  after: orNull(figures),
  lost: list(lostPoint),
  orphaned: whole,
  shrinksOn: orNull(date),
  breaches: list(breach),
});
const outlook = fields<Outlook>({
  fromMs: whole,
  days: whole,
  pricePerGibMonth: number,
  changes: list(change),
});
const finding = fields<ReviewFinding>({
  rule: text,
  severity,
  file: text,
  line: whole,
  column: whole,
  message: text,
});
const review = fields<Review>({
  apiVersion: word<Review["apiVersion"]>("holdfast.dev/v1"),
  kind: word<Review["kind"]>("Review"),
  base: side,
  head: side,
  asOf: matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/),
  catalogueKnown: flag,
  jobs: fields<Review["jobs"]>({ created: list(text), updated: list(text), removed: list(text) }),
  notes: list(fields<Review["notes"][number]>({ policy: text, message: text })),
  outlook: orNull(outlook),
  findings: list(finding),
  findingCounts: fields<Review["findingCounts"]>({ error: whole, warning: whole, info: whole }),
  hash: sha256,
  command,
});

/** The review, or what it lacks. Whether the hash is the one of its contents is not looked at here. */
export function parseReview(value: unknown): Review | { readonly misfit: string } {
  try {
    const found = review(value);
    // An instant that no date can show would make renderers throw.
    if (Number.isNaN(Date.parse(found.asOf)) || (found.outlook?.fromMs ?? 0) > 8e15)
      return { misfit: "instant" };
    if (found.outlook?.changes.some((c) => c.lost.some((p) => Math.abs(p.atMs) > 8e15)))
      return { misfit: "instant" };
    return found;
  } catch (error) {
    if (error instanceof Misfit) return { misfit: error.message };
    throw error;
  }
}
