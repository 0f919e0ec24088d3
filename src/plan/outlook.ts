/**
 * What a change of policies does to what can be restored: base and head foreseen from the same stock, compared
 * day by day. A breach is something that becomes unrestorable below what head itself promises, or a held or
 * proved point that no policy would restore any more.
 */
import { componentFacts } from "../component.ts";
import type { Policy, PolicySet } from "../policy/model.ts";
import { dayMs } from "../retention/calendar.ts";
import { type Future, foresee, type Stock } from "../retention/future.ts";
import { parseCron, widestGapMs } from "../time/cron.ts";
import { formatDuration } from "../time/duration.ts";

export interface OutlookInput {
  readonly base: PolicySet;
  readonly head: PolicySet;
  /** By policy name; a policy without an entry is taken as empty. */
  readonly stocks: ReadonlyMap<string, Stock>;
  readonly fromMs: number;
  readonly days: number;
  /** Price of one GiB for a month, in whatever money the reader thinks in. */
  readonly pricePerGibMonth: number;
}

/** As it stands on the last day foreseen. */
export interface Figures {
  /** Most data, as time, that the schedule or the log leaves at risk; null where nothing says. */
  readonly lossMs: number | null;
  readonly reachMs: number;
  readonly windowMs: number;
  readonly points: number;
  readonly sizeBytes: number;
  readonly costPerMonth: number;
}

/** A stored point that base would still have on a day on which head has let it go. */
export interface LostPoint {
  readonly id: string;
  readonly atMs: number;
  /** ISO date. */
  readonly lostOn: string;
  /** ISO date on which base would let it go; null where that is not within the days foreseen. */
  readonly keptUntil: string | null;
  readonly proven: boolean;
}

export type BreachKind = "reach" | "window" | "loss" | "proven" | "held";

export interface Breach {
  readonly policy: string;
  readonly kind: BreachKind;
  /** ISO date on which it is broken first. */
  readonly on: string;
  readonly message: string;
}

export type ChangeKind = "added" | "removed" | "moved" | "stopped" | "changed" | "same";

export interface PolicyChange {
  readonly policy: string;
  readonly component: string;
  readonly kind: ChangeKind;
  readonly before: Figures | null;
  readonly after: Figures | null;
  readonly lost: readonly LostPoint[];
  /** Stored points that stay but that no policy restores any more. */
  readonly orphaned: number;
  /** ISO date from which reach or window are shorter than they would have been; null for never. */
  readonly shrinksOn: string | null;
  readonly breaches: readonly Breach[];
}

export interface Outlook {
  readonly fromMs: number;
  readonly days: number;
  readonly pricePerGibMonth: number;
  /** Sorted by policy. */
  readonly changes: readonly PolicyChange[];
}

/** One entry per policy of either side. */
export function outlook(input: OutlookInput): Outlook {
  const { base, head, fromMs, days, pricePerGibMonth } = input;
  const names = [...new Set([...base.policies, ...head.policies].map((p) => p.name))].sort();
  const changes = names.map((name) =>
    changeOf(
      input,
      base.policies.find((p) => p.name === name),
      head.policies.find((p) => p.name === name),
    ),
  );
  return { fromMs, days, pricePerGibMonth, changes };
}

/** Breaches of all policies. */
export function breachesOf({ changes }: Outlook): readonly Breach[] {
  return changes.flatMap((c) => c.breaches);
}

const empty: Stock = { points: [] };

function changeOf(input: OutlookInput, base: Policy | undefined, head: Policy | undefined): PolicyChange {
  const policy = (head ?? base) as Policy;
  const stock = input.stocks.get(policy.name) ?? empty;
  const moved =
    base !== undefined &&
    head !== undefined &&
    `${base.store.name} ${base.store.prefix}` !== `${head.store.name} ${head.store.prefix}`;
  const foreseen = (p: Policy | undefined, from: Stock): Future | undefined =>
    p === undefined ? undefined : foresee({ policy: p, ...from, fromMs: input.fromMs, days: input.days });
  const was = foreseen(base, stock);
  const is = foreseen(head, moved ? empty : stock);
  const leaves = base !== undefined && (head === undefined || moved);
  const shared = {
    policy: policy.name,
    component: componentFacts(policy.component).title,
    before: was === undefined ? null : figures(base as Policy, was, input),
    after: is === undefined ? null : figures(head as Policy, is, input),
    orphaned: leaves ? stock.points.length : 0,
  };
  const lost = was === undefined || is === undefined || moved ? [] : lostPoints(stock, was, is, input);
  return {
    ...shared,
    kind: kindOf(base, head, moved),
    lost,
    shrinksOn: was === undefined || is === undefined ? null : shrinksOn(was, is, input.fromMs),
    breaches: breaches(base, head, stock, was, is, leaves, input),
  };
}

function kindOf(base: Policy | undefined, head: Policy | undefined, moved: boolean): ChangeKind {
  if (base === undefined) return "added";
  if (head === undefined) return "removed";
  if (moved) return "moved";
  if (head.suspended && !base.suspended) return "stopped";
  return JSON.stringify(base) === JSON.stringify(head) ? "same" : "changed";
}

function figures(policy: Policy, future: Future, { pricePerGibMonth, fromMs }: OutlookInput): Figures {
  const last = future.count.length - 1;
  const sizeBytes = future.sizeBytes[last] ?? 0;
  return {
    lossMs: lossMs(policy, fromMs),
    reachMs: future.reachMs[last] ?? 0,
    windowMs: future.windowMs[last] ?? 0,
    points: future.count[last] ?? 0,
    sizeBytes,
    costPerMonth: (sizeBytes / 1024 ** 3) * pricePerGibMonth,
  };
}

/** A suspended policy captures nothing, so nothing bounds its loss. */
function lossMs({ suspended, log, schedule }: Policy, fromMs: number): number | null {
  if (suspended) return null;
  if (log !== undefined) return log.pushEveryMs;
  if (schedule.kind === "continuous") return 0;
  if (schedule.kind === "change") return schedule.debounceMs;
  const cron = parseCron(schedule.cron);
  const gapMs = "error" in cron ? Number.NaN : widestGapMs(cron, schedule.timeZone, fromMs, 400);
  return Number.isFinite(gapMs) ? gapMs : null;
}

function lostPoints(stock: Stock, was: Future, is: Future, { fromMs }: OutlookInput): readonly LostPoint[] {
  const leftBase = new Map(was.departures.map((d) => [d.id, d.day]));
  const stored = new Set(stock.points.map((p) => p.id));
  return is.departures.flatMap(({ id, atMs, day, proven }) => {
    const before = leftBase.get(id);
    if (!stored.has(id) || (before !== undefined && before <= day)) return [];
    const keptUntil = before === undefined ? null : dateOf(fromMs, before);
    return [{ id, atMs, lostOn: dateOf(fromMs, day), keptUntil, proven }];
  });
}

function dateOf(fromMs: number, day: number): string {
  return new Date(fromMs + day * dayMs).toISOString().slice(0, 10);
}

/** Less than this is the schedule's own jitter. */
const jitterMs = dayMs;

function shrinksOn(was: Future, is: Future, fromMs: number): string | null {
  for (let day = 0; day < is.count.length; day += 1) {
    const less = (before: Float64Array, after: Float64Array) =>
      (before[day] ?? 0) - (after[day] ?? 0) > jitterMs;
    if (less(was.reachMs, is.reachMs) || less(was.windowMs, is.windowMs)) return dateOf(fromMs, day);
  }
  return null;
}

function breaches(
  base: Policy | undefined,
  head: Policy | undefined,
  stock: Stock,
  was: Future | undefined,
  is: Future | undefined,
  leaves: boolean,
  input: OutlookInput,
): readonly Breach[] {
  if (base === undefined) return [];
  const found: Breach[] = [];
  const add = (kind: BreachKind, day: number, message: string): void => {
    found.push({ policy: base.name, kind, on: dateOf(input.fromMs, day), message });
  };
  if (leaves) orphanBreaches(base, stock, head === undefined, add);
  if (head === undefined || was === undefined || is === undefined) return found;
  const { reachMs, pitrWindowMs, rpoMs } = head.objectives;
  const wantedMs = reachMs === "forever" ? Number.POSITIVE_INFINITY : reachMs;
  curveBreach("reach", wantedMs, was.reachMs, is.reachMs, add);
  if (pitrWindowMs > 0) curveBreach("window", pitrWindowMs, was.windowMs, is.windowMs, add);
  const [lossBefore, lossAfter] = [lossMs(base, input.fromMs), lossMs(head, input.fromMs)];
  if (lossAfter !== null && lossBefore !== null && lossAfter > rpoMs && lossAfter > lossBefore) {
    add(
      "loss",
      0,
      `up to ${formatDuration(lossAfter)} of data would be at risk, the policy promises ${formatDuration(rpoMs)}`,
    );
  }
  if (!leaves) provenBreach(head, stock, was, is, add);
  return found;
}

type Add = (kind: BreachKind, day: number, message: string) => void;

function orphanBreaches(base: Policy, stock: Stock, isRemoved: boolean, add: Add): void {
  const held = stock.points.filter((p) => p.heldUntilMs !== undefined).length;
  const proven = stock.points.filter((p) => p.proven).length;
  const how = isRemoved
    ? "no policy is left that restores"
    : "the policy looks elsewhere and restores no more";
  if (held > 0) add("held", 0, `${how} ${held} held ${held === 1 ? "point" : "points"}`);
  // Suspending a policy first and removing it in a later change is the way to give one up.
  if (proven > 0 && !(isRemoved && base.suspended)) {
    add("proven", 0, `${how} ${proven} proved ${proven === 1 ? "point" : "points"}`);
  }
}

function curveBreach(
  kind: "reach" | "window",
  wantedMs: number,
  was: Float64Array,
  is: Float64Array,
  add: Add,
): void {
  const slackMs = Math.min(jitterMs, wantedMs / 10);
  for (let day = 0; day < is.length; day += 1) {
    const [before, after] = [was[day] ?? 0, is[day] ?? 0];
    if (after >= wantedMs || before - after <= slackMs) continue;
    const what = kind === "reach" ? "the oldest point" : "the oldest instant that can be chosen";
    const wanted = Number.isFinite(wantedMs) ? formatDuration(wantedMs) : "everything";
    add(
      kind,
      day,
      `${what} would be ${inDays(after)} back instead of ${inDays(before)}, the policy promises ${wanted}`,
    );
    return;
  }
}

function inDays(ms: number): string {
  return ms < dayMs ? formatDuration(ms) : `${Math.floor(ms / dayMs)}d`;
}

/** The floor keeps the newest proven points whatever the table says; it is not meant to be all there is. */
function provenBreach(head: Policy, stock: Stock, was: Future, is: Future, add: Add): void {
  const proven = stock.points.filter((p) => p.proven).length;
  const leftBy = (future: Future) => proven - future.departures.filter((d) => d.proven && d.day === 0).length;
  const [before, after] = [leftBy(was), leftBy(is)];
  if (after >= before || after >= Math.max(1, head.prune.floor)) return;
  add(
    "proven",
    0,
    `the new table has a place for ${after} of ${before} proved points; only the prune floor stands before the last ones`,
  );
}
