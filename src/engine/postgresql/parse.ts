/** Readers of what PostgreSQL's programs print. Pure; the texts are those of versions 15 to 17 with LANG=C. */
import { HoldfastError } from "../../errors.ts";
import { parseLsn } from "./wal.ts";

export interface BackupSpan {
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly timeline: number;
}

/** From `pg_basebackup -v`. @throws tool-failed when the start or end point is not there */
export function parseBackupSpan(stderr: string): BackupSpan {
  const start = /start point: ([0-9A-F]+\/[0-9A-F]+) on timeline (\d+)/i.exec(stderr);
  const stop = /end point: ([0-9A-F]+\/[0-9A-F]+)/i.exec(stderr);
  if (start === null || stop === null) {
    throw new HoldfastError("tool-failed", "pg_basebackup has not said where its backup begins and ends", {
      hint: "is this a version of pg_basebackup that Holdfast knows? src/engine/postgresql/readme.md names them",
    });
  }
  return { startLsn: start[1] ?? "", timeline: Number(start[2]), stopLsn: stop[1] ?? "" };
}

/** Segments that hold the WAL from start to stop; a stop exactly on a boundary needs nothing of the next one. */
export function segmentsOf(
  span: BackupSpan,
  segmentBytes: number,
): { readonly first: number; readonly last: number } {
  const start = parseLsn(span.startLsn) ?? 0;
  const stop = parseLsn(span.stopLsn) ?? 0;
  return {
    first: Math.floor(start / segmentBytes),
    last: Math.floor((Math.max(stop, start + 1) - 1) / segmentBytes),
  };
}

/** Milliseconds of the last commit or abort in the output of `pg_waldump --rmgr=Transaction`. */
export function parseLastCommitMs(stdout: string): number | undefined {
  let last: number | undefined;
  for (const match of stdout.matchAll(
    /(?:COMMIT|ABORT)\w*(?: PREPARED)?[^\n]*? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (\S+)/g,
  )) {
    // TZ=UTC is set for every program, so the zone is always this one.
    const ms = Date.parse(`${(match[1] ?? "").replace(" ", "T")}Z`);
    if (!Number.isNaN(ms)) last = ms;
  }
  return last;
}

/** What a server under recovery has said of where it got to. */
export function parseReached(lines: readonly string[]): Readonly<Record<string, string>> {
  const reached: Record<string, string> = {};
  for (const line of lines) {
    const stopping = /recovery stopping (before|after) (.+)$/.exec(line);
    if (stopping !== null) reached["stopped"] = `${stopping[1]} ${stopping[2]}`;
    const redo = /redo done at ([0-9A-F]+\/[0-9A-F]+)/i.exec(line);
    if (redo !== null) reached["redo"] = redo[1] ?? "";
    const last = /last completed transaction was at log time (.+)$/.exec(line);
    if (last !== null) reached["transaction"] = (last[1] ?? "").replace("+00", "Z");
    const timeline = /selected new timeline ID: (\d+)/.exec(line);
    if (timeline !== null) reached["timeline"] = timeline[1] ?? "";
  }
  return reached;
}

/** Number of files in a backup manifest's text, without parsing all of what may be hundreds of megabytes. */
export function countManifestFiles(text: string): number {
  return text.match(/"Path"\s*:|"Encoded-Path"\s*:/g)?.length ?? 0;
}
