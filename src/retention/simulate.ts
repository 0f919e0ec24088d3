/** What a policy's keep table does day by day from now on, on the points there are and those its schedule will add. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { compactInstant, instant } from "../catalogue/instant.ts";
import type { Policy } from "../policy/model.ts";
import { nextAfter, parseCron } from "../time/cron.ts";
import { dayMs } from "./calendar.ts";
import { decide, type RetentionPoint } from "./decide.ts";
import { retentionPoint, timeZoneOf } from "./points.ts";
import { proveReach } from "./reach.ts";

/** What a keep table does on one day; `lost` are the points that would go that day. */
export interface SimulatedDay {
  readonly day: string;
  readonly kept: number;
  readonly added: readonly string[];
  readonly lost: readonly { readonly id: string; readonly reason: string }[];
  readonly sizeBytes: number;
  readonly oldestAt: string | null;
}

export interface Simulation {
  readonly policy: string;
  readonly retention: string;
  readonly reachMs: number | "forever";
  readonly reachHeld: boolean;
  readonly days: readonly SimulatedDay[];
}

export interface SimulateInput {
  readonly policy: Policy;
  readonly catalogue?: Catalogue;
  readonly fromMs: number;
  readonly days: number;
}

interface Simulated extends RetentionPoint {
  readonly sizeBytes: number;
}

/**
 * One entry per day. New points come at the schedule's instants, are good, stand alone and have the size of
 * the newest real point; a schedule without a cron adds one a day. The table alone decides: floors, holds and
 * the share cap are a matter of the day they happen.
 */
export function simulate({ policy, catalogue, fromMs, days }: SimulateInput): Simulation {
  const { keep } = policy.retention;
  const timeZone = timeZoneOf(policy);
  const sizeBytes = catalogue?.points.at(-1)?.manifest.sizeBytes ?? 0;
  let points: readonly Simulated[] = (catalogue?.points ?? []).map((p) => ({
    ...retentionPoint(p),
    sizeBytes: p.manifest.sizeBytes,
  }));
  const result: SimulatedDay[] = [];
  for (let day = 0; day < days; day += 1) {
    const startMs = fromMs + day * dayMs;
    const endMs = startMs + dayMs;
    const added = firings(policy, startMs, endMs).map((atMs) => ({
      id: compactInstant(atMs),
      atMs,
      good: true,
      parents: [],
      sizeBytes,
    }));
    const all = [...points, ...added];
    const decisions = decide({ points: all, keep, timeZone, nowMs: endMs });
    points = all.filter((_, index) => decisions[index]?.keep === true);
    const oldestMs = points.reduce((least, p) => Math.min(least, p.atMs), Number.POSITIVE_INFINITY);
    result.push({
      // The state is that of the end, so a row never shows a point younger than its day.
      day: instant(endMs - 1).slice(0, 10),
      kept: points.length,
      added: added.map((p) => p.id),
      lost: decisions.flatMap((d) => (d.keep ? [] : [{ id: d.id, reason: d.reasons.join("; ") }])),
      sizeBytes: points.reduce((sum, p) => sum + p.sizeBytes, 0),
      oldestAt: points.length === 0 ? null : instant(oldestMs),
    });
  }
  const { reachMs } = policy.objectives;
  const reachHeld = isReachHeld(policy, timeZone, fromMs);
  return { policy: policy.name, retention: policy.retention.name, reachMs, reachHeld, days: result };
}

/** Instants at which the schedule captures, from `startMs` until before `endMs`; daily where it has no cron. */
export function firings(policy: Policy, startMs: number, endMs: number): readonly number[] {
  const { schedule } = policy;
  if (schedule.kind !== "cron") {
    return Array.from({ length: Math.ceil((endMs - startMs) / dayMs) }, (_, day) => startMs + day * dayMs);
  }
  const cron = parseCron(schedule.cron);
  if ("error" in cron) return [];
  const found: number[] = [];
  let at = nextAfter(cron, schedule.timeZone, startMs - 1);
  while (at !== undefined && at < endMs) {
    found.push(at);
    at = nextAfter(cron, schedule.timeZone, at);
  }
  return found;
}

function isReachHeld(policy: Policy, timeZone: string, nowMs: number): boolean {
  const { schedule, objectives, retention } = policy;
  const cron = schedule.kind === "cron" ? schedule.cron : "0 0 * * *";
  return proveReach({ cron, timeZone, keep: retention.keep, reachMs: objectives.reachMs, nowMs }).holds;
}
