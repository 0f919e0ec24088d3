/** Points and log written by hand, one segment a minute of an hour that is easy to read. */
import type {
  Catalogue,
  LogArchive,
  LogBranch,
  LogSegment,
  RecoveryPoint,
} from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Manifest } from "../../../src/catalogue/manifest.ts";
import { point as reportPoint } from "../report/fixtures.ts";

export const minuteMs = 60_000;
export const startMs = Date.parse("2026-11-20T12:00:00.000Z");

/** The instant at which segment `sequence` was stored: one a minute. */
export const minute = (sequence: number): string => instant(startMs + sequence * minuteMs);

export const nameOf = (branch: string, sequence: number): string =>
  `${branch}00000000${sequence.toString(16).toUpperCase().padStart(8, "0")}`;

export function segment(branch: string, sequence: number, change: Partial<LogSegment> = {}): LogSegment {
  const partial = change.partial ?? false;
  const name = `${nameOf(branch, sequence)}${partial ? ".partial" : ""}`;
  return {
    name,
    branch,
    sequence,
    partial,
    key: `wal/log/${branch}/${name}`,
    sizeBytes: 1000,
    storedAt: minute(sequence),
    ...change,
  };
}

export function run(branch: string, first: number, last: number): readonly LogSegment[] {
  return Array.from({ length: last - first + 1 }, (_, n) => segment(branch, first + n));
}

export function archive(segments: readonly LogSegment[], branches: readonly LogBranch[] = []): LogArchive {
  return { segments, branches, segmentBytes: 16 * 1024 ** 2 };
}

/** A base backup taken while segment `sequence` was written, consistent half a minute into it. */
export function basePoint(branch: string, sequence: number, change: Partial<Manifest> = {}): RecoveryPoint {
  const slotMs = startMs + sequence * minuteMs - 30_000;
  return reportPoint(slotMs, {
    startedAt: instant(slotMs - 5000),
    consistentAt: instant(slotMs),
    finishedAt: instant(slotMs + 1000),
    log: { branch, firstSequence: sequence, lastSequence: sequence },
    ...change,
  });
}

export function catalogueOf(points: readonly RecoveryPoint[], log?: LogArchive): Catalogue {
  const shared = { policy: "postgresql", points, complete: true, remarks: [], unreadable: [] };
  return { ...shared, readAt: instant(startMs), ...(log === undefined ? {} : { log }) };
}
