/**
 * The retention barcode: a bar per recovery point on a time axis, in a lane for each reason it is kept, and
 * lanes for what is held, what is on its way out and what was pruned.
 */
import { describeKeep } from "../retention/calendar.ts";
import { decide } from "../retention/decide.ts";
import { retentionPoint, timeZoneOf } from "../retention/points.ts";
import type { PolicyReport } from "./input.ts";
import { pointStatus } from "./json.ts";
import { frame, line, num, rect, text, timeTicks } from "./svg-frame.ts";
import { count } from "./units.ts";

export interface Lane {
  readonly name: string;
  readonly atMs: readonly number[];
  readonly className: "info" | "good" | "warn" | "bad";
}

export interface RetentionPicture {
  readonly policy: string;
  /** The keep table in one line. */
  readonly keep: string;
  readonly pointsCount: number;
  readonly lanes: readonly Lane[];
  readonly nowMs: number;
}

const width = 800;
const left = 150;
const right = 776;
const top = 50;
const laneHeight = 30;

/** A point stands in every lane whose reason it has. */
export function retentionPicture(entry: PolicyReport, nowMs: number): RetentionPicture {
  const { policy, catalogue } = entry;
  const points = catalogue?.points ?? [];
  const decisions = decide({
    points: points.map(retentionPoint),
    keep: policy.retention.keep,
    timeZone: timeZoneOf(policy),
    nowMs,
  });
  const lanes = new Map<string, number[]>();
  const put = (lane: string, atMs: number): void => {
    if (!Number.isFinite(atMs)) return;
    const given = lanes.get(lane);
    if (given === undefined) lanes.set(lane, [atMs]);
    else given.push(atMs);
  };
  for (const [index, point] of points.entries()) {
    const atMs = Date.parse(point.manifest.consistentAt);
    const status = pointStatus(point, nowMs);
    if (status === "held" || status === "locked") put(status, atMs);
    if (point.tombstone !== undefined) put("expiring", atMs);
    else if (decisions[index]?.keep === false) put("no place", atMs);
    for (const lane of new Set((decisions[index]?.reasons ?? []).map(laneOf)))
      if (lane !== undefined) put(lane, atMs);
  }
  for (const gone of entry.prune)
    if (gone.removedBytes > 0) put("pruned", Date.parse(gone.consistentAt ?? gone.at));
  return {
    policy: policy.name,
    keep: describeKeep(policy.retention.keep),
    pointsCount: points.length,
    nowMs,
    lanes: laneOrder.flatMap((name) => {
      const atMs = lanes.get(name);
      return atMs === undefined ? [] : [{ name, atMs: atMs.sort((a, b) => a - b), className: classOf(name) }];
    }),
  };
}

const laneOrder = [
  ...["last", "hourly", "daily", "weekly", "monthly", "yearly", "days", "forever", "parent"],
  ...["held", "locked", "no place", "expiring", "pruned"],
];

function classOf(lane: string): Lane["className"] {
  if (lane === "pruned") return "bad";
  if (lane === "expiring" || lane === "no place") return "warn";
  return lane === "held" || lane === "locked" ? "good" : "info";
}

/** The keep table's line that gave a reason; undefined for the reason why a point goes. */
function laneOf(reason: string): string | undefined {
  const first = /^[a-z]+/.exec(reason)?.[0] ?? "";
  if (first === "younger") return "days";
  if (first === "needed") return "parent";
  return laneOrder.includes(first) && first !== "no" ? first : undefined;
}

/** The picture in words. */
export function describeRetention(picture: RetentionPicture): string {
  const lanes = picture.lanes.map((l) => `${l.name} ${l.atMs.length}`).join(", ");
  return `Keep table: ${picture.keep}. ${count(picture.pointsCount, "recovery point")}${lanes === "" ? "" : `, by reason: ${lanes}`}.`;
}

/** The picture as an SVG document. Bars that would fall on each other are drawn once. */
export function retentionSvg(picture: RetentionPicture): string {
  const { lanes, nowMs } = picture;
  const height = top + Math.max(1, lanes.length) * laneHeight + 50;
  const title = `Retention: ${picture.policy}`;
  const description = describeRetention(picture);
  const oldestMs = lanes.reduce((least, l) => Math.min(least, l.atMs[0] ?? nowMs), nowMs);
  if (lanes.length === 0)
    return frame({ title, description, width, height }, [
      text(20, top + 16, "no recovery point", { className: "bad strong" }),
    ]);
  const spanMs = Math.max(nowMs - oldestMs, 60_000);
  const fromMs = nowMs - spanMs * 1.02;
  const x = (ms: number) => left + ((ms - fromMs) / (nowMs - fromMs)) * (right - left - 4);
  const bottom = top + lanes.length * laneHeight;
  const body = timeTicks(fromMs, nowMs, 8).flatMap((tick) => [
    line([x(tick.ms), top - 6, x(tick.ms), bottom + 4], "grid"),
    text(Math.min(right - 16, Math.max(left + 14, x(tick.ms))), bottom + 18, tick.label, {
      className: "dim small",
      anchor: "middle",
    }),
  ]);
  for (const [index, lane] of lanes.entries()) {
    const y = top + index * laneHeight;
    body.push(
      text(20, y + 17, `${lane.name} (${lane.atMs.length})`, { className: "small" }),
      rect(left, y + 2, right - left, laneHeight - 8, "track", 2),
      bars(lane, x, y + 4),
    );
  }
  body.push(
    line([x(nowMs), top - 6, x(nowMs), bottom + 4], "ink", 1.5),
    text(right, 27, `keep: ${picture.keep}`, { className: "dim small", anchor: "end", limit: 60 }),
    text(20, height - 14, "a point stands in every lane whose reason it has; the line at the right is now", {
      className: "dim small",
    }),
  );
  return frame({ title, description, width, height }, body);
}

/** All bars of a lane as one path, each two pixels wide and three from the next at least. */
function bars(lane: Lane, x: (ms: number) => number, y: number): string {
  const drawn: string[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const ms of lane.atMs) {
    const at = x(ms);
    if (at - last < 3) continue;
    drawn.push(`M${num(at - 1)} ${num(y)}h2v${laneHeight - 12}h-2z`);
    last = at;
  }
  return `<path class="${lane.className}" d="${drawn.join("")}"/>`;
}
