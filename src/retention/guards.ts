/** Reasons outside the keep table for which a point stays: floor, hold, lock, what cannot be read, and who needs it. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import { isGood, isProven } from "./points.ts";

export interface GuardInput {
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  readonly nowMs: number;
}

/** Further reasons by id; what points named here need is not in it yet, see `withParents`. */
export function guarded({ policy, catalogue, nowMs }: GuardInput): Map<PointId, string[]> {
  const reasons = new Map<PointId, string[]>();
  const give = (point: RecoveryPoint, reason: string): void => {
    const given = reasons.get(point.manifest.id);
    if (given === undefined) reasons.set(point.manifest.id, [reason]);
    else given.push(reason);
  };
  for (const [point, reason] of floorOf(policy, catalogue)) give(point, reason);
  for (const point of catalogue.points) {
    const { hold, lockedUntil, manifest } = point;
    // An instant that cannot be read never counts as past.
    if (hold !== undefined && (hold.until === null || !(Date.parse(hold.until) <= nowMs))) {
      give(point, `held by ${hold.by} until ${hold.until ?? "released"}: ${hold.reason}`);
    }
    if (lockedUntil !== undefined && !(Date.parse(lockedUntil) <= nowMs)) {
      give(point, `locked by the store until ${lockedUntil}`);
    }
    if (manifest.policy !== policy.name) give(point, `belongs to policy '${manifest.policy}'`);
    if (!Number.isFinite(Date.parse(point.storedAt)))
      give(point, "the store does not say when it was written");
  }
  for (const [point, reason] of nearUnreadable(policy, catalogue)) give(point, reason);
  return reasons;
}

/** The newest proven points; where none is proven the newest good ones, and where none is good the newest. */
function floorOf(policy: Policy, catalogue: Catalogue): readonly (readonly [RecoveryPoint, string])[] {
  const floor = Math.max(1, policy.prune.floor);
  const newestFirst = [...catalogue.points].sort(
    (a, b) => Date.parse(b.storedAt) - Date.parse(a.storedAt) || (a.manifest.id < b.manifest.id ? 1 : -1),
  );
  const proven = newestFirst.filter(isProven);
  if (proven.length > 0) return proven.slice(0, floor).map((p) => [p, `one of the newest ${floor} proven`]);
  const good = newestFirst.filter(isGood);
  if (good.length > 0) {
    return good.slice(0, floor).map((p) => [p, `one of the newest ${floor}, and none is proven`]);
  }
  return newestFirst.slice(0, floor).map((p) => [p, `one of the newest ${floor}, and none is good`]);
}

/** A manifest that cannot be read may be of an incremental point; the chain it would stand on stays. */
function nearUnreadable(policy: Policy, catalogue: Catalogue): readonly (readonly [RecoveryPoint, string])[] {
  const mayChain =
    policy.capture.fullCron !== undefined ||
    catalogue.points.some((p) => p.manifest.capture === "incremental");
  if (!mayChain) return [];
  const byId = [...catalogue.points].sort((a, b) => (a.manifest.id < b.manifest.id ? -1 : 1));
  return catalogue.unreadable.flatMap(({ id }) => {
    const before = byId.filter((p) => p.manifest.id < id);
    const full = before.findLastIndex((p) => p.manifest.capture === "full");
    return before.slice(Math.max(full, 0)).map((p) => [p, `the unreadable point ${id} may need it`] as const);
  });
}

/** Adds, in place, each point a kept one needs, however far up the chain. */
export function withParents(catalogue: Catalogue, reasons: Map<PointId, string[]>): void {
  const byId = new Map(catalogue.points.map((p) => [p.manifest.id, p]));
  const waiting = [...reasons.keys()];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const parent of byId.get(id)?.manifest.parents ?? []) {
      if (!byId.has(parent)) continue;
      const given = reasons.get(parent);
      const reason = `needed by ${id}`;
      if (given === undefined) {
        reasons.set(parent, [reason]);
        waiting.push(parent);
      } else if (!given.includes(reason)) given.push(reason);
    }
  }
}
