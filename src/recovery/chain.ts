/**
 * Which point a restore starts from, and why. Where the target cannot be reached, the error names what is
 * missing and the nearest instants on either side that can be.
 */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { type Instant, instant } from "../catalogue/instant.ts";
import type { Manifest, PointId } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { plainName, type SegmentName } from "./lineage.ts";
import { runEndMs, type Usable, usablePoints } from "./usable.ts";

/** Where a restore shall end, as the engines have it. */
export type RecoveryTarget =
  | { readonly kind: "latest" }
  | { readonly kind: "point" }
  | { readonly kind: "time"; readonly at: Instant }
  | { readonly kind: "lsn"; readonly lsn: string }
  | { readonly kind: "name"; readonly name: string };

export interface RestorePlan {
  readonly point: RecoveryPoint;
  /** The point's manifest first, then what it needs, nearest first. */
  readonly chain: readonly Manifest[];
  /** One sentence with the facts. */
  readonly reason: string;
  /** Newer points that do not serve, newest first, each with the cause. */
  readonly passedOver: readonly { readonly id: PointId; readonly cause: string }[];
}

export interface RangesInput {
  readonly catalogue: Catalogue;
  /** The instant the newest stored piece of log reaches, where it could be read. */
  readonly logReachMs?: number;
}

export interface RestoreQuestion extends RangesInput {
  readonly target: RecoveryTarget;
  readonly nameOf?: SegmentName;
}

export interface ReachableRange {
  readonly fromAt: Instant;
  readonly toAt: Instant;
}

/**
 * The newest point that leads to the target; one whose newest verification failed early only when no other does.
 * @throws target-unreachable or wal-gap, naming missing segments or parents and what can be reached; point-unknown
 */
export function planRestore(question: RestoreQuestion): RestorePlan {
  const all = usablePoints(question.catalogue);
  if (all.length === 0) {
    throw new HoldfastError("point-unknown", `policy '${question.catalogue.policy}' has no recovery point`);
  }
  const candidates = all.filter((u) => isBeforeTarget(u, question));
  const serving = candidates.filter((u) => failureOf(u, all, question) === undefined);
  const chosen = serving.find((u) => !u.suspect) ?? serving[0];
  if (chosen === undefined) throw unreachable(question, all, candidates);
  return {
    point: chosen.point,
    chain: chosen.chain,
    reason: reasonFor(chosen, question),
    passedOver: all
      .filter((u) => u.consistentMs > chosen.consistentMs)
      .map((u) => ({ id: u.point.manifest.id, cause: causeAgainst(u, all, question) })),
  };
}

function causeAgainst(u: Usable, all: readonly Usable[], question: RestoreQuestion): string {
  if (!isBeforeTarget(u, question)) return `of ${u.point.manifest.consistentAt}, after the target`;
  const failure = failureOf(u, all, question);
  return failure?.text ?? "its newest verification failed";
}

/** What can be restored, oldest first: runs of log from a point on, and points without log as single instants. */
export function reachableRanges({ catalogue, logReachMs }: RangesInput): readonly ReachableRange[] {
  const all = usablePoints(catalogue);
  const spans = all
    .filter((u) => u.missingParents.length === 0 && u.logComplete)
    .map((u) => ({ fromMs: u.consistentMs, toMs: runEndMs(u, all, logReachMs) }))
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  const merged: { fromMs: number; toMs: number }[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last !== undefined && span.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, span.toMs);
    else merged.push({ ...span });
  }
  return merged.map(({ fromMs, toMs }) => ({ fromAt: instant(fromMs), toAt: instant(toMs) }));
}

function isBeforeTarget(u: Usable, { target, catalogue }: RestoreQuestion): boolean {
  if (target.kind === "time") return u.consistentMs <= Date.parse(target.at);
  if (target.kind !== "lsn") return true;
  const sequence = sequenceOf(target.lsn, catalogue);
  const need = u.point.manifest.log;
  return sequence === undefined || need === undefined || need.firstSequence <= sequence;
}

/** The segment an LSN such as `0/3000148` lies in, where the segment size is known. */
function sequenceOf(lsn: string, { log }: Catalogue): number | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(lsn);
  if (match === null || log === undefined || log.segmentBytes <= 0) return undefined;
  const position =
    Number.parseInt(match[1] as string, 16) * 2 ** 32 + Number.parseInt(match[2] as string, 16);
  return Math.floor(position / log.segmentBytes);
}

type Failure =
  | { readonly kind: "parents"; readonly text: string }
  | { readonly kind: "gap"; readonly text: string }
  | { readonly kind: "end"; readonly text: string };

/** Why a restore from this point does not come to the target, or undefined. */
function failureOf(u: Usable, all: readonly Usable[], question: RestoreQuestion): Failure | undefined {
  const { target, catalogue, logReachMs } = question;
  const { id } = u.point.manifest;
  if (u.missingParents.length > 0) {
    return { kind: "parents", text: `point ${id} needs ${u.missingParents.join(", ")}, which is not there` };
  }
  if (!u.logComplete) return missingLog(u, question, `point ${id} needs`);
  if (target.kind === "time") {
    if (u.run === undefined) {
      // Without a log a point is all there is of the time until the next one.
      const isExact = u.consistentMs === Date.parse(target.at);
      if (catalogue.log === undefined || isExact) return undefined;
      return { kind: "end", text: `point ${id} stands alone: no log leads on from it` };
    }
    if (coveredUntil(u, all, logReachMs) >= Date.parse(target.at)) return undefined;
    return missingLog(u, question, `the way from point ${id} to ${target.at} needs`);
  }
  if (target.kind === "lsn" && u.run !== undefined) {
    const sequence = sequenceOf(target.lsn, catalogue);
    if (sequence === undefined || (u.run.segments.at(-1)?.sequence ?? -1) >= sequence) return undefined;
    return missingLog(u, question, `the way from point ${id} to ${target.lsn} needs`);
  }
  return undefined;
}

/** A piece holds nothing later than when it was stored, so one stored after the target may hold it. */
function coveredUntil(u: Usable, all: readonly Usable[], logReachMs: number | undefined): number {
  if (u.run?.missingUntil !== undefined) return runEndMs(u, all);
  return Math.max(runEndMs(u, all), logReachMs ?? Number.NEGATIVE_INFINITY);
}

function missingLog(u: Usable, question: RestoreQuestion, lead: string): Failure {
  const nameOf = question.nameOf ?? plainName;
  const run = u.run;
  const from = run?.missing;
  if (run === undefined || from === undefined) return { kind: "end", text: `${lead} log that is not there` };
  const first = nameOf(from.branch, from.sequence);
  const until = run.missingUntil;
  const need = u.point.manifest.log;
  const isOwnNeed = !u.logComplete && need !== undefined;
  if (until !== undefined && until.sequence > from.sequence) {
    const last = nameOf(until.branch, until.sequence);
    return { kind: "gap", text: `${lead} log segments ${first} to ${last}, which are not there` };
  }
  if (until !== undefined || isOwnNeed) {
    const last = isOwnNeed && until === undefined ? nameOf(need.branch, need.lastSequence) : first;
    const text = last === first ? `segment ${first}, which is` : `segments ${first} to ${last}, which are`;
    return { kind: "gap", text: `${lead} log ${text} not there` };
  }
  const newest = run.segments.at(-1);
  const end = newest === undefined ? "" : `; the newest is ${newest.name}, stored ${newest.storedAt}`;
  return { kind: "end", text: `${lead} log from ${first} on, which is not stored yet${end}` };
}

function unreachable(
  question: RestoreQuestion,
  all: readonly Usable[],
  candidates: readonly Usable[],
): HoldfastError {
  const { target, catalogue } = question;
  const { where, nearest } = reachableText(question);
  const wanted = targetText(target);
  const hint =
    nearest === undefined
      ? `holdfast list ${catalogue.policy}`
      : `holdfast restore ${catalogue.policy} --at ${nearest} --to DIR`;
  if (candidates.length === 0) {
    const oldest = all.at(-1)?.point.manifest;
    const message = `${wanted} of '${catalogue.policy}' cannot be reached: the oldest point ${oldest?.id ?? ""} is of ${oldest?.consistentAt ?? ""}; ${where}`;
    return new HoldfastError("target-unreachable", message, { hint });
  }
  const failures = candidates.flatMap((u) => failureOf(u, all, question) ?? []);
  const best = failures.find((f) => f.kind === "gap") ?? failures[0];
  const code = best?.kind === "gap" ? "wal-gap" : "target-unreachable";
  const message = `${wanted} of '${catalogue.policy}' cannot be reached: ${best?.text ?? "no point serves"}; ${where}`;
  return new HoldfastError(code, message, { hint });
}

function targetText(target: RecoveryTarget): string {
  switch (target.kind) {
    case "time":
      return target.at;
    case "lsn":
      return `position ${target.lsn}`;
    case "name":
      return `restore point '${target.name}'`;
    case "latest":
      return "the newest state";
    case "point":
      return "the newest point";
  }
}

/** `reachable: up to A, and again from B`, and of these the one before what was asked for, else the one behind it. */
function reachableText(question: RestoreQuestion): { readonly where: string; readonly nearest?: Instant } {
  const ranges = reachableRanges(question);
  if (ranges.length === 0) return { where: "nothing can be reached" };
  const atMs = question.target.kind === "time" ? Date.parse(question.target.at) : Number.POSITIVE_INFINITY;
  const below = ranges.findLast((r) => Date.parse(r.toAt) <= atMs);
  const above = ranges.find((r) => Date.parse(r.fromAt) > atMs);
  if (below === undefined) {
    const nearest = above?.fromAt ?? ranges[0]?.fromAt;
    return { where: `reachable: from ${nearest ?? ""}`, ...(nearest === undefined ? {} : { nearest }) };
  }
  const again = above === undefined ? "" : `, and again from ${above.fromAt}`;
  return { where: `reachable: up to ${below.toAt}${again}`, nearest: below.toAt };
}

function reasonFor(u: Usable, { target }: RestoreQuestion): string {
  const { id, consistentAt } = u.point.manifest;
  const count = u.run?.segments.length ?? 0;
  const suspect = u.suspect ? "; its newest verification failed, but no other point serves" : "";
  if (target.kind === "time" && u.run === undefined) {
    return `the newest point at or before ${target.at} is ${id} of ${consistentAt}; there is no log to go on from it${suspect}`;
  }
  const log = u.run === undefined ? "" : `, with ${count} log segments without a hole from it on`;
  const which = target.kind === "time" ? `at or before ${target.at}` : "that can be restored";
  return `the newest point ${which} is ${id} of ${consistentAt}${log}${suspect}`;
}
