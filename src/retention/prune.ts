/**
 * What pruning would do, as a value: the keep table decides, guards add to what stays, and what goes takes two
 * steps, a tombstone now and the bytes in a run after its grace. In doubt nothing goes and a refusal says why.
 */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { type Instant, instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import type { StoreFacts } from "../state/job.ts";
import type { Note, Refusal } from "../state/plan.ts";
import { parseCron, widestGapMs } from "../time/cron.ts";
import { formatDuration } from "../time/duration.ts";
import { dayMs, longestAgeMs } from "./calendar.ts";
import { decide, type RetentionDecision } from "./decide.ts";
import { guarded, withParents } from "./guards.ts";
import { expiredLog } from "./log-expiry.ts";
import { retentionPoint, timeZoneOf } from "./points.ts";

/** Clocks of a client and a store agree better than this. */
const clockToleranceMs = 3_600_000;
/** So many points may go in one run whatever their share. */
const alwaysAllowed = 3;

export interface PrunePlan {
  /** One per readable point, in the order of the catalogue; guards are in the reasons. */
  readonly decisions: readonly RetentionDecision[];
  readonly tombstones: readonly {
    readonly id: PointId;
    readonly reason: string;
    readonly notBefore: Instant;
  }[];
  /** In the order they must be carried out: nothing is removed before what needs it. */
  readonly deletions: readonly { readonly id: PointId; readonly reason: string }[];
  /** Marked points that are kept again: their tombstone goes. */
  readonly revive: readonly PointId[];
  readonly logKeys: readonly string[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

export interface PruneInput {
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  readonly store: StoreFacts;
  readonly nowMs: number;
}

/** Pure: the plan changes nothing. Whenever a guard freezes the policy, every list of changes is empty. */
export function prunePlan(input: PruneInput): PrunePlan {
  const { policy, catalogue } = input;
  const table = decide({
    points: catalogue.points.map(retentionPoint),
    keep: policy.retention.keep,
    timeZone: timeZoneOf(policy),
    nowMs: input.nowMs,
  });
  const decisions = withGuards(input, table);
  const notes = unreadableNotes(catalogue);
  const frozen = freeze(input, table);
  const nothing = { decisions, tombstones: [], deletions: [], revive: [], logKeys: [] };
  if (frozen !== undefined) return { ...nothing, refusals: [frozen], notes };
  if (policy.suspended) {
    const note = noteOf(policy, "info", "the policy is suspended; nothing is marked and nothing is removed");
    return { ...nothing, refusals: [], notes: [...notes, note] };
  }
  return change(input, decisions, notes);
}

function change(
  input: PruneInput,
  decisions: readonly RetentionDecision[],
  notes: readonly Note[],
): PrunePlan {
  const { policy, catalogue, nowMs } = input;
  const keeps = new Map(decisions.map((d) => [d.id, d]));
  const allowed = Math.max(alwaysAllowed, Math.floor(policy.prune.maxShare * catalogue.points.length));
  const oldestFirst = [...catalogue.points].sort(
    (a, b) => Date.parse(a.storedAt) - Date.parse(b.storedAt) || (a.manifest.id < b.manifest.id ? -1 : 1),
  );
  const expired = oldestFirst.filter((p) => keeps.get(p.manifest.id)?.keep === false);
  const reasonOf = (p: RecoveryPoint) => keeps.get(p.manifest.id)?.reasons.join("; ") ?? "";
  // A tombstone for other bytes under the same name is none for these and is cleared first.
  const stale = catalogue.points.filter((p) => p.tombstone !== undefined && !isMarked(p));
  const marking = expired.filter((p) => p.tombstone === undefined);
  const due = expired.filter((p) => isMarked(p) && Date.parse(p.tombstone?.notBefore ?? "") <= nowMs);
  const deletions = removable(due, catalogue, allowed);
  const gone = new Set(deletions.map((p) => p.manifest.id));
  const revived = catalogue.points.filter((p) => isMarked(p) && keeps.get(p.manifest.id)?.keep === true);
  const log = expireLog(input, keeps, gone);
  const excess = Math.max(marking.length, due.length) - allowed;
  return {
    decisions,
    tombstones: marking.slice(0, allowed).map((p) => ({
      id: p.manifest.id,
      reason: reasonOf(p),
      notBefore: instant(nowMs + policy.prune.graceMs),
    })),
    deletions: deletions.map((p) => ({ id: p.manifest.id, reason: reasonOf(p) })),
    revive: [...revived, ...stale].map((p) => p.manifest.id),
    logKeys: log.keys,
    refusals: excess > 0 ? [shareRefusal(input, allowed, Math.max(marking.length, due.length))] : [],
    notes: [...notes, ...log.notes],
  };
}

function withGuards(input: PruneInput, table: readonly RetentionDecision[]): readonly RetentionDecision[] {
  const reasons = guarded(input);
  for (const d of table) if (d.keep) reasons.set(d.id, [...d.reasons, ...(reasons.get(d.id) ?? [])]);
  withParents(input.catalogue, reasons);
  return table.map((d) => {
    const given = reasons.get(d.id);
    return given === undefined ? d : { id: d.id, keep: true, reasons: given };
  });
}

/** Why nothing at all may be touched, or undefined. */
function freeze(input: PruneInput, table: readonly RetentionDecision[]): Refusal | undefined {
  const { policy, catalogue, store, nowMs } = input;
  const refusal = (guard: string, message: string, hint: string): Refusal => ({
    policy: policy.name,
    guard,
    message,
    hint,
  });
  if (store.identity !== "ours" || store.policy !== policy.name || catalogue.policy !== policy.name) {
    const detail = store.detail === "" ? "" : `: ${store.detail}`;
    const message = `the marker of store '${store.store}' under '${store.prefix}' is ${store.identity}${detail}; nothing is removed`;
    return refusal("store-identity", message, "holdfast doctor says whose store it is");
  }
  if (!catalogue.complete) {
    const remarks = catalogue.remarks.length === 0 ? "" : `: ${catalogue.remarks.join("; ")}`;
    const message = `the listing is incomplete${remarks}; nothing is removed`;
    return refusal("incomplete-listing", message, "run it again once the store answers in full");
  }
  const newestMs = catalogue.points.reduce((most, p) => Math.max(most, Date.parse(p.storedAt)), 0);
  if (newestMs - nowMs > clockToleranceMs) {
    const message = `the newest point was stored at ${instant(newestMs)}, which is ${formatDuration(newestMs - nowMs)} in the future; nothing is removed`;
    return refusal("clock-jump", message, "set this machine's clock right");
  }
  const quietMs = nowMs - newestMs;
  if (catalogue.points.length > 0 && quietMs > quietLimitMs(policy, newestMs)) {
    const message = `the newest point was stored ${formatDuration(quietMs)} ago, at ${instant(newestMs)}: this machine's clock is wrong or captures have stopped; nothing is removed`;
    return refusal("clock-jump", message, "look at the clock, then take a new point with holdfast backup");
  }
  if (table.length > 0 && table.every((d) => !d.keep)) {
    const message = `every one of ${table.length} points would expire at ${instant(nowMs)}, the newest is of ${instant(newestMs)}; nothing is removed`;
    return refusal(
      "clock-jump",
      message,
      "look at this machine's clock, then take a new point with holdfast backup",
    );
  }
  return undefined;
}

/** Without a new point for this long time alone lets nothing go: graces, holds and ages are counted in it. */
function quietLimitMs({ schedule }: Policy, fromMs: number): number {
  if (schedule.kind === "continuous") return 3 * dayMs;
  if (schedule.kind === "change") return 2 * schedule.atLeastEveryMs + dayMs;
  const cron = parseCron(schedule.cron);
  const gapMs = "error" in cron ? dayMs : widestGapMs(cron, schedule.timeZone, fromMs, 400);
  return 2 * (Number.isFinite(gapMs) ? gapMs : dayMs) + dayMs;
}

/** Whether the tombstone speaks of these very bytes. */
function isMarked(point: RecoveryPoint): boolean {
  return point.tombstone !== undefined && point.tombstone.manifestSha256 === point.manifestSha256;
}

/**
 * At most `allowed` of the points that are due, oldest chains first, and each only together with everything
 * that needs it and before which it must not go.
 */
function removable(
  due: readonly RecoveryPoint[],
  catalogue: Catalogue,
  allowed: number,
): readonly RecoveryPoint[] {
  const children = new Map<PointId, RecoveryPoint[]>();
  for (const point of catalogue.points) {
    for (const parent of point.manifest.parents) {
      const known = children.get(parent);
      if (known === undefined) children.set(parent, [point]);
      else known.push(point);
    }
  }
  const isDue = new Set(due.map((p) => p.manifest.id));
  const order: RecoveryPoint[] = [];
  const state = new Map<PointId, boolean>();
  /** True once the point goes, after all that need it. */
  const take = (point: RecoveryPoint): boolean => {
    const { id } = point.manifest;
    const known = state.get(id);
    if (known !== undefined) return known;
    // A circle of parents is damage; none of it goes.
    state.set(id, false);
    if (!isDue.has(id)) return false;
    // Not `every`: a child that may go does so even when a sibling stays.
    const childrenGone = (children.get(id) ?? []).filter((child) => !take(child)).length === 0;
    if (!childrenGone || order.length >= allowed) return false;
    order.push(point);
    state.set(id, true);
    return true;
  };
  for (const point of due) take(point);
  return order;
}

function expireLog(
  { policy, catalogue, nowMs }: PruneInput,
  keeps: ReadonlyMap<PointId, RetentionDecision>,
  gone: ReadonlySet<PointId>,
): { readonly keys: readonly string[]; readonly notes: readonly Note[] } {
  if (policy.log === undefined || catalogue.log === undefined) return { keys: [], notes: [] };
  if (catalogue.unreadable.length > 0) {
    const message = "a point that cannot be read may need any part of the log; no log is removed";
    return { keys: [], notes: [noteOf(policy, "warning", message)] };
  }
  const keepMs = longestAgeMs(policy.log.retention.keep);
  const { keys, reason } = expiredLog({
    archive: catalogue.log,
    kept: catalogue.points.filter((p) => keeps.get(p.manifest.id)?.keep === true),
    present: catalogue.points.filter((p) => !gone.has(p.manifest.id)),
    windowFromMs: nowMs - Math.max(policy.objectives.pitrWindowMs, keepMs),
    storedBeforeMs: nowMs - policy.prune.graceMs,
  });
  const notes = reason === "" ? [] : [noteOf(policy, "info", `no log is removed: ${reason}`)];
  return { keys, notes };
}

function shareRefusal({ policy, catalogue }: PruneInput, allowed: number, wanted: number): Refusal {
  const share = Math.round(policy.prune.maxShare * 100);
  return {
    policy: policy.name,
    guard: "share-cap",
    message: `${wanted} of ${catalogue.points.length} points would go; one run may take ${allowed} (${share} % or ${alwaysAllowed}), oldest first`,
    hint: "if that is meant, let further runs take the rest; if not, look at what changed in the keep table",
  };
}

function unreadableNotes(catalogue: Catalogue): readonly Note[] {
  return catalogue.unreadable.map(({ id, reason }) => ({
    policy: catalogue.policy,
    severity: "critical" as const,
    message: `point ${id} cannot be read and is never removed: ${reason}`,
  }));
}

function noteOf(policy: Policy, severity: Note["severity"], message: string): Note {
  return { policy: policy.name, severity, message };
}
