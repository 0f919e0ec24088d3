/**
 * How much a disaster would have cost at each instant of a time, from what is known of the points now, and how
 * much of that time the promised RPO was missed. Pure; instants are milliseconds.
 */

/** The share of the judged time in which the RPO may be missed: 1 %, which is 1 h 40 min of a week. */
export const allowedShare = 0.01;

/** A stretch without a new point: the cost begins at `startSeconds` and grows by a second each second, or stands. */
export interface Tooth {
  readonly fromMs: number;
  readonly toMs: number;
  readonly startSeconds: number;
  /** False where any instant can be restored; the cost is 0 there. */
  readonly grows: boolean;
}

export interface ErrorBudget {
  /** The later of the time's begin and the end of the first capture: before it nothing was promised. */
  readonly judgedFromAt: string;
  readonly judgedToAt: string;
  readonly judgedSeconds: number;
  /** Seconds in which a disaster would have cost more than the RPO. */
  readonly missedSeconds: number;
  /** `allowedShare` of the judged time. */
  readonly allowedSeconds: number;
  /** The most a disaster would have cost at any instant of it. */
  readonly worstSeconds: number;
  /** 0 to 100, with two decimals. */
  readonly metPercent: number;
}

export interface ExposureInput {
  /** Those that can be restored, and those that could while they were there; in any order. */
  readonly points: readonly { readonly consistentMs: number; readonly finishedMs: number }[];
  /** Any instant inside one can be restored, whenever its log came into the store. */
  readonly ranges: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** Oldest first, without a hole from the first instant that is judged to `toMs`; empty when no point was there. */
export function exposureTeeth(input: ExposureInput): readonly Tooth[] {
  const points = input.points
    .filter((p) => Number.isFinite(p.consistentMs) && Number.isFinite(p.finishedMs))
    .sort((a, b) => a.finishedMs - b.finishedMs || a.consistentMs - b.consistentMs);
  const first = points[0];
  if (first === undefined) return [];
  const startMs = Math.max(input.fromMs, first.finishedMs);
  if (startMs >= input.toMs) return [];
  const covered = coveredBy(points, input.ranges);
  const cuts = [...points.map((p) => p.finishedMs), ...covered.flatMap((r) => [r.fromMs, r.toMs])]
    .filter((ms) => ms > startMs && ms < input.toMs)
    .sort((a, b) => a - b);
  const teeth: Tooth[] = [];
  let anchorMs = Number.NEGATIVE_INFINITY;
  let nextPoint = 0;
  let nextRange = 0;
  let fromMs = startMs;
  for (const toMs of [...cuts, input.toMs]) {
    if (toMs <= fromMs) continue;
    for (let p = points[nextPoint]; p !== undefined && p.finishedMs <= fromMs; p = points[nextPoint]) {
      anchorMs = Math.max(anchorMs, p.consistentMs);
      nextPoint += 1;
    }
    for (let r = covered[nextRange]; r !== undefined && r.toMs <= fromMs; r = covered[nextRange]) {
      anchorMs = Math.max(anchorMs, r.toMs);
      nextRange += 1;
    }
    const range = covered[nextRange];
    const grows = range === undefined || range.fromMs > fromMs;
    teeth.push({ fromMs, toMs, grows, startSeconds: grows ? Math.max(0, fromMs - anchorMs) / 1000 : 0 });
    fromMs = toMs;
  }
  return teeth;
}

/** Ranges one after the other; none counts before the capture whose state it begins with had ended. */
function coveredBy(
  points: ExposureInput["points"],
  ranges: ExposureInput["ranges"],
): readonly { readonly fromMs: number; readonly toMs: number }[] {
  const endOf = new Map(points.toReversed().map((p) => [p.consistentMs, p.finishedMs]));
  const usable = ranges
    .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, endOf.get(fromMs) ?? fromMs), toMs }))
    .filter(({ fromMs, toMs }) => toMs > fromMs)
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  const covered: { fromMs: number; toMs: number }[] = [];
  for (const range of usable) {
    const last = covered.at(-1);
    if (last !== undefined && range.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, range.toMs);
    else covered.push({ ...range });
  }
  return covered;
}

/** Seconds of a stretch in which the cost is above `limitSeconds`. */
export function secondsOver(tooth: Tooth, limitSeconds: number): number {
  if (!tooth.grows) return 0;
  return Math.max(0, (tooth.toMs - tooth.fromMs) / 1000 - Math.max(0, limitSeconds - tooth.startSeconds));
}

/** The cost at the end of a stretch, the highest in it. */
export function endSeconds(tooth: Tooth): number {
  return tooth.grows ? tooth.startSeconds + (tooth.toMs - tooth.fromMs) / 1000 : 0;
}

/** Undefined when nothing could be judged. */
export function errorBudget(teeth: readonly Tooth[], rpoSeconds: number): ErrorBudget | undefined {
  const first = teeth[0];
  const last = teeth.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const judgedSeconds = (last.toMs - first.fromMs) / 1000;
  const missedSeconds = teeth.reduce((sum, tooth) => sum + secondsOver(tooth, rpoSeconds), 0);
  return {
    judgedFromAt: new Date(first.fromMs).toISOString(),
    judgedToAt: new Date(last.toMs).toISOString(),
    judgedSeconds: rounded(judgedSeconds),
    missedSeconds: rounded(missedSeconds),
    allowedSeconds: rounded(judgedSeconds * allowedShare),
    worstSeconds: rounded(teeth.reduce((most, tooth) => Math.max(most, endSeconds(tooth)), 0)),
    // Rounded down: it is 100 only when nothing was missed.
    metPercent: Math.floor((1 - missedSeconds / judgedSeconds) * 10_000) / 100,
  };
}

/** Milliseconds are as exact as the instants are. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
