/** Catalogues of a policy that has run for a while, with a log beside its points. */
import type {
  Catalogue,
  LogArchive,
  LogBranch,
  LogSegment,
  RecoveryPoint,
} from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Hold, Tombstone } from "../../../src/catalogue/manifest.ts";
import type { StoreFacts } from "../../../src/state/job.ts";
import { catalogue, dayMs, point, verdict } from "../report/fixtures.ts";

export const startMs = Date.parse("2026-09-01T02:00:00.000Z");
export const oneBranch = "00000001";
export const twoBranch = "00000002";

export const ours: StoreFacts = {
  policy: "postgresql",
  store: "primary",
  prefix: "postgresql/",
  identity: "ours",
  detail: "",
};

/** One full point a day, oldest first, each with bytes of its own hash. */
export function daily(
  count: number,
  change: (day: number) => Partial<RecoveryPoint> = () => ({}),
): RecoveryPoint[] {
  return Array.from({ length: count }, (_, day) => ({
    ...point(startMs + day * dayMs),
    manifestSha256: String(day).padStart(64, "0"),
    ...change(day),
  }));
}

export function proofOf(p: RecoveryPoint, level: 4 | 5 = 4): RecoveryPoint {
  const proof = verdict(Date.parse(p.storedAt) + 3_600_000, level, { point: p.manifest.id });
  return { ...p, verdicts: [...p.verdicts, proof] };
}

export function failureOf(p: RecoveryPoint): RecoveryPoint {
  const failure = verdict(Date.parse(p.storedAt) + 7_200_000, 2, { point: p.manifest.id, asked: 4 });
  return { ...p, verdicts: [...p.verdicts, failure] };
}

export function holdOn(p: RecoveryPoint, until: string | null): RecoveryPoint {
  const hold: Hold = {
    apiVersion: "holdfast.dev/v1",
    kind: "Hold",
    policy: p.manifest.policy,
    point: p.manifest.id,
    at: p.storedAt,
    by: "alice",
    reason: "audit",
    until,
  };
  return { ...p, hold };
}

export function tombstoneOn(
  p: RecoveryPoint,
  notBeforeMs: number,
  manifestSha256 = p.manifestSha256,
): RecoveryPoint {
  const tombstone: Tombstone = {
    apiVersion: "holdfast.dev/v1",
    kind: "Tombstone",
    policy: p.manifest.policy,
    point: p.manifest.id,
    at: instant(notBeforeMs - dayMs),
    notBefore: instant(notBeforeMs),
    reason: "no place",
    manifestSha256,
  };
  return { ...p, tombstone };
}

export function historyOf(points: readonly RecoveryPoint[], log?: LogArchive): Catalogue {
  const sorted = [...points].sort((a, b) => (a.manifest.slotAt < b.manifest.slotAt ? -1 : 1));
  return { ...catalogue(sorted), ...(log === undefined ? {} : { log }) };
}

export function segment(branch: string, sequence: number, storedMs: number, partial = false): LogSegment {
  const number = sequence.toString(16).toUpperCase().padStart(16, "0");
  const name = `${branch}${number}${partial ? ".partial" : ""}`;
  return {
    name,
    branch,
    sequence,
    partial,
    key: `wal/log/${branch}/${name}`,
    sizeBytes: 16 * 1024 ** 2,
    storedAt: instant(storedMs),
  };
}

export function archiveOf(segments: readonly LogSegment[], branches: readonly LogBranch[] = []): LogArchive {
  return { segments, branches, segmentBytes: 16 * 1024 ** 2 };
}

/** Sequences stored per day in the histories below: one each 14.4 minutes. */
export const perDay = 100;
export const stepMs = dayMs / perDay;

/** The instant by which the segment with this sequence has been stored. */
export function storedMsOf(sequence: number): number {
  return startMs + (sequence + 1) * stepMs;
}

/** A log without a hole; from `forkAt` on it is on the second branch, the fork's own segment on both. */
export function wholeLog(last: number, forkAt = Number.POSITIVE_INFINITY): LogArchive {
  const segments: LogSegment[] = [];
  for (let n = 0; n <= last; n += 1) {
    if (n < forkAt) segments.push(segment(oneBranch, n, storedMsOf(n)));
    if (n === forkAt) segments.push(segment(oneBranch, n, storedMsOf(n), true));
    if (n >= forkAt) segments.push(segment(twoBranch, n, storedMsOf(n)));
  }
  const branches: LogBranch[] =
    forkAt <= last
      ? [{ branch: twoBranch, parent: oneBranch, forkSequence: forkAt, key: "wal/log/00000002.history" }]
      : [];
  return archiveOf(segments, branches);
}

/** `count` daily points of which each needs two segments of the log. */
export function logged(count: number, forkAt = Number.POSITIVE_INFINITY): RecoveryPoint[] {
  return daily(count).map((p, day) => {
    const firstSequence = day * perDay;
    // A capture never spans a promotion.
    const branch = firstSequence + 1 > forkAt ? twoBranch : oneBranch;
    const consistentAt = instant(startMs + day * dayMs + stepMs);
    const log = { branch, firstSequence, lastSequence: firstSequence + 1 };
    return { ...p, manifest: { ...p.manifest, log, consistentAt } };
  });
}
