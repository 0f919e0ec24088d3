/** What each point of a catalogue can bring back: its chain, its log, and how far the log goes on from it. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Manifest, PointId, Verdict } from "../catalogue/manifest.ts";
import { indexLog, type LogIndex, type LogRun, runFrom } from "./lineage.ts";

export interface Usable {
  readonly point: RecoveryPoint;
  readonly consistentMs: number;
  /** The point's manifest first, then what it needs. */
  readonly chain: readonly Manifest[];
  /** Parents that are not there; then the point cannot be restored. */
  readonly missingParents: readonly PointId[];
  /** Undefined where the point needs no log. */
  readonly run?: LogRun;
  /** The log the point needs to become consistent is there. */
  readonly logComplete: boolean;
  /** The newest verdict says it does not even decode; used only when nothing else serves. */
  readonly suspect: boolean;
}

/** One entry per point, newest state first. */
export function usablePoints(catalogue: Catalogue): readonly Usable[] {
  const index = indexLog(catalogue.log);
  const byId = new Map(catalogue.points.map((p) => [p.manifest.id, p]));
  return catalogue.points
    .map((point) => usable(point, byId, index))
    .sort((a, b) => b.consistentMs - a.consistentMs || (a.point.manifest.id < b.point.manifest.id ? 1 : -1));
}

function usable(point: RecoveryPoint, byId: ReadonlyMap<PointId, RecoveryPoint>, index: LogIndex): Usable {
  const { manifest } = point;
  const { chain, missingParents } = chainOf(manifest, byId);
  const shared = {
    point,
    consistentMs: Date.parse(manifest.consistentAt),
    chain,
    missingParents,
    suspect: isSuspect(point),
  };
  const need = manifest.log;
  if (need === undefined) return { ...shared, logComplete: true };
  const from = { branch: need.branch, sequence: need.firstSequence };
  const run = runFrom(index, from, need.lastSequence);
  const reached = run.segments.at(-1)?.sequence ?? Number.NEGATIVE_INFINITY;
  return { ...shared, run, logComplete: reached >= need.lastSequence };
}

/** The whole chain in the manifest's order; a parent's own parents are added where it does not name them. */
function chainOf(
  manifest: Manifest,
  byId: ReadonlyMap<PointId, RecoveryPoint>,
): { readonly chain: readonly Manifest[]; readonly missingParents: readonly PointId[] } {
  const chain = [manifest];
  const missingParents: PointId[] = [];
  const seen = new Set<PointId>([manifest.id]);
  const waiting = [...manifest.parents];
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const parent = byId.get(id);
    if (parent === undefined) missingParents.push(id);
    else {
      chain.push(parent.manifest);
      waiting.push(...parent.manifest.parents);
    }
  }
  return { chain, missingParents };
}

function isSuspect(point: RecoveryPoint): boolean {
  let newest: Verdict | undefined;
  for (const verdict of point.verdicts) if (newest === undefined || verdict.at >= newest.at) newest = verdict;
  return newest !== undefined && !newest.ok && newest.level < 2;
}

/** When the state at the end of a run can be no later than; `logReachMs` counts where the log simply ends. */
export function runEndMs(usablePoint: Usable, points: readonly Usable[], logReachMs?: number): number {
  const { run, consistentMs } = usablePoint;
  const last = run?.segments.at(-1);
  if (run === undefined || last === undefined) return consistentMs;
  if (run.missingUntil === undefined) {
    return Math.max(consistentMs, logReachMs ?? Date.parse(last.storedAt));
  }
  let endMs = Date.parse(last.storedAt);
  // Pieces that were late are stored later than what they hold: all of it is older than a point behind the hole.
  for (const other of points) {
    const need = other.point.manifest.log;
    if (need === undefined || need.firstSequence <= run.missing.sequence) continue;
    if (other.consistentMs <= consistentMs) continue;
    endMs = Math.min(endMs, Date.parse(other.point.manifest.startedAt), other.consistentMs - 1);
  }
  return Math.max(consistentMs, endMs);
}
