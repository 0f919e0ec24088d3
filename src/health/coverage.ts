/**
 * What the sources hold against what the policies take. Each thing seen is covered, set aside, waived or
 * uncovered, and never two of them; what could not be looked at is unknown and never taken for covered.
 */
import type { ComponentKind } from "../component.ts";
import type { CoverageWaiver, Policy, StoreSettings } from "../policy/model.ts";
import { isOver } from "../policy/waiver-end.ts";
import {
  itemName,
  type Looks,
  type PolicyLook,
  type SourceItem,
  type SourceLook,
} from "../state/coverage.ts";
import type { Condition } from "../state/health.ts";
import { condition } from "./conditions.ts";

/** What an engine says of a policy's selection. Pure. */
export interface Selection {
  /** Where the source is, in one spelling; policies with an equal one have the same source. */
  address(policy: Policy): string;
  /** Why the policy's captures do not take the item; undefined when they do. */
  misses(policy: Policy, item: SourceItem): string | undefined;
  /** Whether the item is where the points of the store lie. */
  isStore?(policy: Policy, item: SourceItem, store: StoreSettings): boolean;
}

export interface CoverageInput {
  readonly policies: readonly Policy[];
  readonly stores: readonly StoreSettings[];
  readonly looks: Looks;
  /** Undefined for a component nobody can look at. */
  readonly selectionOf: (policy: Policy) => Selection | undefined;
  readonly nowMs: number;
}

export type CoverageClass = "covered" | "set-aside" | "waived" | "uncovered";

export interface WaiverOf {
  readonly policy: string;
  readonly item: string;
  readonly reason: string;
  readonly owner: string;
  readonly until: string;
}

export interface CoverageItem {
  readonly class: CoverageClass;
  readonly component: ComponentKind;
  /** Address of the source. */
  readonly source: string;
  /** `kind/name`. */
  readonly item: string;
  /** Whose captures take it; for what is not taken, the policies of the source. */
  readonly policies: readonly string[];
  /** Why it is in no backup, or set aside; empty for what is covered. */
  readonly reason: string;
  /** The one in force, or the one that has run out. */
  readonly waiver?: WaiverOf;
}

export interface Coverage {
  readonly at: string;
  /** In order of class, the worst first, then of source and item. */
  readonly items: readonly CoverageItem[];
  /** Sources and parts of them that could not be looked at. */
  readonly unknown: readonly { readonly policy: string; readonly cause: string }[];
  /** Policies that came after the look. */
  readonly notYetLooked: readonly string[];
  /** Waivers that accept nothing any more. */
  readonly unusedWaivers: readonly WaiverOf[];
}

const classOrder: readonly CoverageClass[] = ["uncovered", "waived", "set-aside", "covered"];

/** One source and the policies over it. */
interface Source {
  readonly component: ComponentKind;
  readonly address: string;
  readonly looked: readonly { readonly policy: Policy; readonly look: SourceLook }[];
  /** Policies of the same address that could not look; what they take is known all the same. */
  readonly blind: readonly Policy[];
}

/** Pure. */
export function judgeCoverage(input: CoverageInput): Coverage {
  const { policies, looks } = input;
  const known = new Map(looks.looks.map((look) => [look.policy, look]));
  const unknown: { policy: string; cause: string }[] = [];
  const notYetLooked: string[] = [];
  for (const policy of policies) {
    const look = known.get(policy.name);
    if (input.selectionOf(policy) === undefined) {
      unknown.push({ policy: policy.name, cause: `nobody can look at a source of ${policy.component} yet` });
    } else if (look === undefined || look.component !== policy.component) notYetLooked.push(policy.name);
    else if ("cause" in look) unknown.push({ policy: policy.name, cause: look.cause });
    else unknown.push(...look.unseen.map((cause) => ({ policy: policy.name, cause })));
  }
  const items: CoverageItem[] = [];
  const unused: WaiverOf[] = [];
  for (const source of sourcesOf(input, known)) {
    const judged = judgeSource(source, input);
    items.push(...judged.items);
    unused.push(...judged.unused);
  }
  return { at: looks.at, items: items.sort(byClass), unknown, notYetLooked, unusedWaivers: unused };
}

function sourcesOf(input: CoverageInput, known: ReadonlyMap<string, PolicyLook>): readonly Source[] {
  const groups = new Map<string, { policy: Policy; look: SourceLook; address: string }[]>();
  const blind: { policy: Policy; address: string }[] = [];
  for (const policy of input.policies) {
    const selection = input.selectionOf(policy);
    const look = known.get(policy.name);
    if (selection === undefined || look === undefined || look.component !== policy.component) continue;
    const address = selection.address(policy);
    if ("cause" in look) blind.push({ policy, address });
    else {
      const key = `${policy.component}\0${look.server}`;
      groups.set(key, [...(groups.get(key) ?? []), { policy, look, address }]);
    }
  }
  return [...groups.values()].map((looked) => ({
    component: looked[0]?.policy.component as ComponentKind,
    address: looked[0]?.address ?? "",
    looked,
    blind: blind
      .filter((b) => looked.some((l) => l.address === b.address && l.policy.component === b.policy.component))
      .map((b) => b.policy),
  }));
}

function judgeSource(
  source: Source,
  input: CoverageInput,
): { readonly items: readonly CoverageItem[]; readonly unused: readonly WaiverOf[] } {
  const { looked, blind } = source;
  const all = [...looked.map((l) => l.policy), ...blind];
  const waivers = all.flatMap((policy) =>
    (policy.coverage?.waivers ?? []).map((w) => ({ ...waiverOf(policy, w), matches: patternOf(w.item) })),
  );
  const used = new Set<string>();
  const names = new Map<string, SourceItem>();
  for (const { look } of looked) {
    for (const item of look.items) {
      const before = names.get(itemName(item));
      // Who sets it aside knows more than who does not.
      if (before?.setAside === undefined) names.set(itemName(item), { ...before, ...item });
    }
  }
  const items = [...names].map(([name, item]): CoverageItem => {
    const facts = { component: source.component, source: source.address, item: name };
    const misses = all.map((policy) => ({ policy, why: missedBy(policy, item, name, source, input) }));
    const takers = misses.filter((m) => m.why === undefined).map((m) => m.policy.name);
    if (takers.length > 0) return { ...facts, class: "covered", policies: takers.sort(), reason: "" };
    const policies = all.map((p) => p.name).sort();
    const setAside = item.setAside ?? storeReason(item, all, input);
    if (setAside !== undefined) return { ...facts, class: "set-aside", policies, reason: setAside };
    const reason = reasonOf(misses);
    const matching = waivers.filter((w) => w.matches(name));
    for (const w of matching) used.add(keyOf(w));
    const inForce = matching.find((w) => !isOver(w.until, input.nowMs));
    const waiver = inForce ?? matching.sort((a, b) => (a.until < b.until ? 1 : -1))[0];
    return {
      ...facts,
      class: inForce === undefined ? "uncovered" : "waived",
      policies,
      reason,
      ...(waiver === undefined ? {} : { waiver: plain(waiver) }),
    };
  });
  // What was not seen whole may hold what a waiver is about.
  const whole = new Set(looked.filter((l) => l.look.unseen.length === 0).map((l) => l.policy.name));
  const unused = waivers.filter((w) => whole.has(w.policy) && !used.has(keyOf(w))).map(plain);
  return { items, unused };
}

function missedBy(
  policy: Policy,
  item: SourceItem,
  name: string,
  { looked }: Source,
  input: CoverageInput,
): string | undefined {
  // Each policy is asked about the thing as it has seen it itself.
  const own = looked.find((l) => l.policy === policy)?.look.items.find((i) => itemName(i) === name);
  const why = input.selectionOf(policy)?.misses(policy, own ?? item);
  if (why !== undefined) return why;
  return policy.suspended ? "its policy is suspended and captures nothing" : undefined;
}

function reasonOf(misses: readonly { readonly policy: Policy; readonly why: string | undefined }[]): string {
  const reasons = new Set(misses.map((m) => m.why ?? ""));
  if (reasons.size === 1) return [...reasons][0] ?? "";
  return misses.map((m) => `${m.policy.name}: ${m.why}`).join("; ");
}

function storeReason(
  item: SourceItem,
  policies: readonly Policy[],
  { stores, selectionOf }: CoverageInput,
): string | undefined {
  const found = stores.find((store) =>
    policies.some((policy) => selectionOf(policy)?.isStore?.(policy, item, store) === true),
  );
  return found === undefined ? undefined : `the points of store '${found.name}' lie in it`;
}

function waiverOf(policy: Policy, { item, reason, owner, until }: CoverageWaiver): WaiverOf {
  return { policy: policy.name, item, reason, owner, until };
}

function plain({ policy, item, reason, owner, until }: WaiverOf): WaiverOf {
  return { policy, item, reason, owner, until };
}

function keyOf({ policy, item, until }: WaiverOf): string {
  return `${policy}\0${item}\0${until}`;
}

/** `*` stands for any text of the name, and for none of the kind. */
function patternOf(item: string): (name: string) => boolean {
  const slash = item.indexOf("/");
  const kind = item.slice(0, slash + 1);
  const [first = "", ...rest] = item.slice(slash + 1).split("*");
  const last = rest.pop();
  return (full) => {
    const name = full.slice(kind.length);
    if (!full.startsWith(kind) || !name.startsWith(first)) return false;
    if (last === undefined) return name === first;
    // The earliest place of each part leaves the most room for the next, so nothing has to be tried twice.
    let at = first.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return name.length - last.length >= at && name.endsWith(last);
  };
}

function byClass(a: CoverageItem, b: CoverageItem): number {
  const rank = classOrder.indexOf(a.class) - classOrder.indexOf(b.class);
  if (rank !== 0) return rank;
  const [x, y] = [`${a.source}\0${a.item}`, `${b.source}\0${b.item}`];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** True when nothing seen is without a backup and without a waiver, everything was seen, and no waiver is left over. */
export function isAllCovered(coverage: Coverage): boolean {
  return (
    coverage.items.every((i) => i.class !== "uncovered") &&
    coverage.unknown.length === 0 &&
    coverage.unusedWaivers.length === 0
  );
}

const shownNames = 5;
const severityRank = { critical: 0, warning: 1, info: 2 } as const;

/** `uncovered` once for each source that has something in no backup, and `coverage-unknown` once for each policy. */
export function coverageConditions(coverage: Coverage, policies: readonly Policy[]): readonly Condition[] {
  const found: Condition[] = [];
  const bySource = Map.groupBy(
    coverage.items.filter((i) => i.class === "uncovered"),
    (i) => `${i.component}\0${i.source}\0${i.policies.join("\0")}`,
  );
  for (const items of bySource.values()) {
    const [first] = items;
    const members = policies.filter((p) => first?.policies.includes(p.name) === true);
    const [policy] = members;
    if (first === undefined || policy === undefined) continue;
    const severity = members
      .map((p) => p.coverage?.severity ?? "warning")
      .sort((a, b) => severityRank[a] - severityRank[b])[0];
    const over = items.filter((i) => i.waiver !== undefined).length;
    const ended = over === 0 ? "" : `; the waivers of ${over} of them have ended`;
    const message = `${items.length === 1 ? "one thing" : `${items.length} things`} at ${first.source} in no backup: ${named(items.map((i) => i.item))}${ended}`;
    const hint =
      "holdfast coverage says why; take them into a policy, or accept them in spec.coverage until a date";
    found.push(condition(policy.name, "uncovered", message, hint, severity));
  }
  for (const [policy, causes] of Map.groupBy(coverage.unknown, (u) => u.policy)) {
    const message = `nobody knows whether all of its source is backed up: ${named(causes.map((c) => c.cause))}`;
    found.push(condition(policy, "coverage-unknown", message, "mend the cause, then holdfast coverage"));
  }
  return found;
}

function named(names: readonly string[]): string {
  const rest = names.length - shownNames;
  return `${names.slice(0, shownNames).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
