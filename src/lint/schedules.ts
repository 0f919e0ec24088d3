/** What a policy's schedule means in time: its widest gap, and the proof of its reach. */
import type { Policy } from "../policy/model.ts";
import { widestGapMs } from "../time/cron.ts";
import { proveKeep } from "./keep-proof.ts";
import { cronOf } from "./places.ts";

export const dayMs = 86_400_000;
/** Long enough to see every clock change and 29 February's neighbours once. */
const lookAheadDays = 400;

/** Longest time between two captures; 0 where replication runs all the time. */
export function captureGapMs(policy: Policy, nowMs: number): number {
  const { schedule } = policy;
  if (schedule.kind === "continuous") return 0;
  if (schedule.kind === "change") return schedule.atLeastEveryMs;
  return cronGapMs(schedule.cron, schedule.timeZone, nowMs);
}

/** Longest time between two firings in the next 400 days; Infinity for a cron that never fires or cannot be read. */
export function cronGapMs(cron: string, timeZone: string, nowMs: number): number {
  const parsed = cronOf(cron);
  return parsed === undefined
    ? Number.POSITIVE_INFINITY
    : widestGapMs(parsed, timeZone, nowMs, lookAheadDays);
}

/** Whether the cron names only days that do not exist. False for one that cannot be read. */
export function neverFires(cron: string, timeZone: string, nowMs: number): boolean {
  return cronOf(cron) !== undefined && cronGapMs(cron, timeZone, nowMs) === Number.POSITIVE_INFINITY;
}

/** Why the policy's keep table does not hold the reach, or undefined while it does. */
export function reachFailure(policy: Policy, reachMs: number, nowMs: number): string | undefined {
  const { schedule, retention } = policy;
  const cron = schedule.kind === "cron" ? cronOf(schedule.cron) : undefined;
  if (schedule.kind !== "cron" || cron === undefined) return undefined;
  if (neverFires(schedule.cron, schedule.timeZone, nowMs)) return undefined;
  const proof = proveKeep(cron, schedule.timeZone, retention.keep, reachMs, nowMs);
  return proof.holds ? undefined : proof.detail;
}
