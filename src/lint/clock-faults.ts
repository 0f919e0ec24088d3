/** Cron times that a change of clocks skips or repeats. */
import { type Cron, clockChanges, occurrences } from "../time/cron.ts";

const dayMs = 86_400_000;

export interface ClockFault {
  /** Local date, ISO. */
  readonly day: string;
  /** Local time, HH:MM. */
  readonly time: string;
  readonly isSkipped: boolean;
}

const known = new Map<string, ClockFault | undefined>();

/**
 * The first local time of the next 400 days that the cron names and a clock change skips or repeats. A cron
 * that fires in every hour loses nothing by it and has none.
 */
export function clockFault(cron: Cron, timeZone: string, nowMs: number): ClockFault | undefined {
  if (cron.hours.length === 24) return undefined;
  const firstDay = Math.floor(nowMs / dayMs);
  const key = `${cron.text}|${timeZone}|${firstDay}`;
  if (known.has(key)) return known.get(key);
  if (known.size > 20_000) known.clear();
  const fault = findFault(cron, timeZone, firstDay * dayMs);
  known.set(key, fault);
  return fault;
}

function findFault(cron: Cron, timeZone: string, fromMs: number): ClockFault | undefined {
  for (const change of clockChanges(timeZone, fromMs, fromMs + 400 * dayMs)) {
    const isSkipped = change.afterMs > change.beforeMs;
    // Wall times as if they were UTC: the hours that do not exist, or that come twice.
    const wallFromMs = change.atMs + Math.min(change.beforeMs, change.afterMs);
    const wallToMs = change.atMs + Math.max(change.beforeMs, change.afterMs);
    const [hit] = occurrences(cron, "Etc/UTC", wallFromMs, wallToMs, 1);
    if (hit === undefined) continue;
    const text = new Date(hit).toISOString();
    return { day: text.slice(0, 10), time: text.slice(11, 16), isSkipped };
  }
  return undefined;
}
