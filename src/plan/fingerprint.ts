/**
 * The observed state as one text, so that its hash changes exactly when a plan could. Times, ages and flow
 * figures are left out: they move while nothing happens.
 */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Actual, ActualJob } from "../state/job.ts";

/** Canonical JSON: keys sorted, no blanks; lists whose order means nothing are sorted too. */
export function canonicalActual(actual: Actual, catalogues: ReadonlyMap<string, Catalogue>): string {
  return canonical({
    platform: actual.platform,
    revision: actual.revision,
    jobs: sortedBy(actual.jobs, (j) => j.job.key).map(stableJob),
    stores: sortedBy(actual.stores, (s) => `${s.policy} ${s.store} ${s.prefix}`).map(
      ({ policy, store, prefix, identity }) => ({ policy, store, prefix, identity }),
    ),
    sources: sortedBy(actual.sources, (s) => s.policy).map(
      ({ policy, reachable, version, identity, drift, log }) => ({
        policy,
        reachable,
        version,
        identity,
        drift: sortedBy(drift, (d) => d.setting).map(({ setting, wanted, mendable }) => ({
          setting,
          wanted,
          mendable,
        })),
        logLost: log?.lost ?? false,
      }),
    ),
    catalogues: [...catalogues.values()]
      .sort((a, b) => order(a.policy, b.policy))
      .map((c) => ({
        policy: c.policy,
        complete: c.complete,
        points: sortedBy(c.points, (p) => p.manifest.id).map(stablePoint),
        unreadable: c.unreadable.map((u) => u.id).sort(),
      })),
  });
}

/** What a run was about and how it ended, without when. */
function stableJob(held: ActualJob): unknown {
  const { job, revision, ours, runs } = held;
  const newest = runs[0];
  return {
    job,
    revision,
    ours,
    running: held.running,
    newest: newest === undefined ? null : { slotAt: newest.slotAt, outcome: newest.outcome },
  };
}

function stablePoint(point: RecoveryPoint): unknown {
  return {
    id: point.manifest.id,
    sha256: point.manifestSha256,
    verdicts: point.verdicts.length,
    tombstone: point.tombstone !== undefined,
    hold: point.hold?.until ?? (point.hold === undefined ? "none" : "released by hand"),
  };
}

function sortedBy<T>(values: readonly T[], keyOf: (value: T) => string): readonly T[] {
  return [...values].sort((a, b) => order(keyOf(a), keyOf(b)));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One spelling of a value: keys sorted, no blanks, absent fields left out. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => order(a, b))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`);
  return `{${fields.join(",")}}`;
}
