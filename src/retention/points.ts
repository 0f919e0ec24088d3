/** Recovery points as retention sees them. */
import type { RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import type { RetentionPoint } from "./decide.ts";

/** A restore into a running server is what proves a point. */
export const provingLevel = 4;

/** The verdict given last, whatever the order they are listed in. */
export function newestVerdict(point: RecoveryPoint): Verdict | undefined {
  let newest: Verdict | undefined;
  for (const verdict of point.verdicts) if (newest === undefined || verdict.at >= newest.at) newest = verdict;
  return newest;
}

/** False once its newest verification failed; a point nobody has looked at is not bad. */
export function isGood(point: RecoveryPoint): boolean {
  return newestVerdict(point)?.ok !== false;
}

/** A server ran on it and nothing newer speaks against it. */
export function isProven(point: RecoveryPoint): boolean {
  return isGood(point) && point.verdicts.some((v) => v.ok && v.level >= provingLevel);
}

/** Dated by the store's own clock, which a client with a wrong one cannot move. */
export function retentionPoint(point: RecoveryPoint): RetentionPoint {
  const { id, parents } = point.manifest;
  const storedMs = Date.parse(point.storedAt);
  // Without a date it counts as the oldest of all; a guard keeps it.
  return { id, atMs: Number.isFinite(storedMs) ? storedMs : 0, good: isGood(point), parents };
}

/** The zone whose days, weeks and months the keep table counts. */
export function timeZoneOf(policy: Policy): string {
  return policy.schedule.kind === "cron" ? policy.schedule.timeZone : "Etc/UTC";
}
