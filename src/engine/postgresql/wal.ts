/**
 * WAL names and positions, pure. A segment file name is timeline, log and segment in 8 hex digits each; a
 * log holds 4 GiB whatever the segment size. @see PostgreSQL manual, "WAL Internals"; access/xlog_internal.h
 */
import type { LogBranch, LogNames } from "../../catalogue/catalogue.ts";
import type { Manifest } from "../../catalogue/manifest.ts";

export const usualSegmentBytes = 16 * 1024 * 1024;
const logBytes = 2 ** 32;

export interface WalPlace {
  /** 8 hex digits. */
  readonly branch: string;
  /** Position divided by the segment size. */
  readonly sequence: number;
}

/** Undefined for anything that is not the name of a whole segment. */
export function parseSegment(name: string, segmentBytes: number): WalPlace | undefined {
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name);
  if (match === null) return undefined;
  const perLog = logBytes / segmentBytes;
  const segment = Number.parseInt(match[3] ?? "", 16);
  if (segment >= perLog) return undefined;
  return { branch: match[1] ?? "", sequence: Number.parseInt(match[2] ?? "", 16) * perLog + segment };
}

export function segmentName(branch: string, sequence: number, segmentBytes: number): string {
  const perLog = logBytes / segmentBytes;
  return `${branch}${hex8(Math.floor(sequence / perLog))}${hex8(sequence % perLog)}`;
}

export function timelineName(timeline: number): string {
  return hex8(timeline);
}

function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}

/** Bytes from the start of the log; exact up to 2^53, which is 8 PiB of WAL. Undefined for no position. */
export function parseLsn(text: string): number | undefined {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text.trim());
  if (match === null) return undefined;
  return Number.parseInt(match[1] ?? "", 16) * logBytes + Number.parseInt(match[2] ?? "", 16);
}

export function formatLsn(position: number): string {
  return `${Math.floor(position / logBytes)
    .toString(16)
    .toUpperCase()}/${(position % logBytes).toString(16).toUpperCase()}`;
}

/**
 * The last line of a history file is the fork that began this timeline: parent, switch point, reason. The
 * segment that holds the switch point is on both timelines.
 */
export function parseHistory(branch: string, text: string, segmentBytes: number): LogBranch {
  const forks = text
    .split("\n")
    .map((line) => /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line))
    .filter((match) => match !== null);
  const last = forks.at(-1);
  if (last === undefined) return { branch };
  const position = parseLsn(last[2] ?? "") ?? 0;
  return {
    branch,
    parent: timelineName(Number(last[1])),
    forkSequence: Math.floor(position / segmentBytes),
  };
}

/** The names for one segment size. */
export function logNames(segmentBytes = usualSegmentBytes): LogNames {
  return {
    segmentBytes,
    parseSegment: (name) => parseSegment(name, segmentBytes),
    segmentName: (branch, sequence) => segmentName(branch, sequence, segmentBytes),
    parseHistory: (branch, text) => parseHistory(branch, text, segmentBytes),
    forManifest: (manifest: Manifest) => {
      const recorded = manifest.engine["segmentBytes"];
      return typeof recorded === "number" && recorded !== segmentBytes
        ? logNames(recorded)
        : logNames(segmentBytes);
    },
  };
}
