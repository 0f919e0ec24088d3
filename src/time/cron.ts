/**
 * Cron arithmetic on wall clocks: next, previous, widest gap. A local time that a clock change skips fires
 * once at the first instant after the gap; one that comes twice fires the first time only. Both keep the
 * order of firing equal to the order of local times, which the searches below rely on.
 */
import type { Cron } from "./cron-parse.ts";
import { clockChanges, instantOf, offsetAt } from "./zone.ts";

export { type Cron, type CronError, parseCron } from "./cron-parse.ts";
export { type ClockChange, clockChanges, isTimeZone } from "./zone.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** 29 February is at most eight years away (1896 to 1904, 2096 to 2104); what is not found by then is never. */
const horizonDays = 8 * 366 + 1;

interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Civil date of a day number since 1970-01-01 (Howard Hinnant's algorithm). */
function civil(dayNumber: number): Day {
  const z = dayNumber + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const m = Math.floor((5 * dayOfYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * m + 2) / 5) + 1,
  };
}

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
function monthLength(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return leap ? 29 : (monthLengths[month - 1] ?? 31);
}

/** Nearest matching day at or beyond `from` in the direction of `step`, or undefined. */
function matchingDay(cron: Cron, from: number, step: 1 | -1): number | undefined {
  let dayNumber = from;
  let { year, month, day } = civil(from);
  const last = from + step * horizonDays;
  while (step > 0 ? dayNumber <= last : dayNumber >= last) {
    if ((cron.months & (1 << month)) === 0) {
      // The whole month is out: go to the first or last day of the neighbouring one.
      const skipped = step > 0 ? monthLength(year, month) - day + 1 : day;
      dayNumber += step * skipped;
      month += step;
      if (month === 13 || month === 0) {
        year += step;
        month = month === 0 ? 12 : 1;
      }
      day = step > 0 ? 1 : monthLength(year, month);
      continue;
    }
    const byMonth = (cron.daysOfMonth & (1 << day)) !== 0;
    const weekday = (((dayNumber + 4) % 7) + 7) % 7;
    const byWeek = (cron.daysOfWeek & (1 << weekday)) !== 0;
    if (cron.eitherDay ? byMonth || byWeek : byMonth && byWeek) return dayNumber;
    dayNumber += step;
    day += step;
    if (day < 1 || day > monthLength(year, month)) {
      month += step;
      if (month === 13 || month === 0) {
        year += step;
        month = month === 0 ? 12 : 1;
      }
      day = step > 0 ? 1 : monthLength(year, month);
    }
  }
  return undefined;
}

/** The smallest matching wall minute above `wallMs`. */
function wallAfter(cron: Cron, wallMs: number): number | undefined {
  const dayNumber = Math.floor(wallMs / dayMs);
  const minuteOfDay = Math.floor((wallMs - dayNumber * dayMs) / minuteMs);
  const today = matchingDay(cron, dayNumber, 1);
  if (today === undefined) return undefined;
  if (today > dayNumber) return today * dayMs + firstOf(cron) * minuteMs;
  const hourNow = Math.floor(minuteOfDay / 60);
  for (const hour of cron.hours) {
    if (hour < hourNow) continue;
    for (const minute of cron.minutes) {
      if (hour * 60 + minute > minuteOfDay) return today * dayMs + (hour * 60 + minute) * minuteMs;
    }
  }
  const next = matchingDay(cron, dayNumber + 1, 1);
  return next === undefined ? undefined : next * dayMs + firstOf(cron) * minuteMs;
}

/** The largest matching wall minute at or below `wallMs`. */
function wallAtOrBefore(cron: Cron, wallMs: number): number | undefined {
  const dayNumber = Math.floor(wallMs / dayMs);
  const minuteOfDay = Math.floor((wallMs - dayNumber * dayMs) / minuteMs);
  const today = matchingDay(cron, dayNumber, -1);
  if (today === undefined) return undefined;
  if (today < dayNumber) return today * dayMs + lastOf(cron) * minuteMs;
  for (let h = cron.hours.length - 1; h >= 0; h -= 1) {
    const hour = cron.hours[h] as number;
    if (hour * 60 > minuteOfDay) continue;
    for (let m = cron.minutes.length - 1; m >= 0; m -= 1) {
      const minute = hour * 60 + (cron.minutes[m] as number);
      if (minute <= minuteOfDay) return today * dayMs + minute * minuteMs;
    }
  }
  const previous = matchingDay(cron, dayNumber - 1, -1);
  return previous === undefined ? undefined : previous * dayMs + lastOf(cron) * minuteMs;
}

function firstOf(cron: Cron): number {
  return (cron.hours[0] as number) * 60 + (cron.minutes[0] as number);
}

function lastOf(cron: Cron): number {
  return (cron.hours.at(-1) as number) * 60 + (cron.minutes.at(-1) as number);
}

/** The first firing after an instant, or undefined when it never fires (30 February). */
export function nextAfter(cron: Cron, timeZone: string, afterMs: number): number | undefined {
  let wallMs = afterMs + offsetAt(timeZone, afterMs);
  for (;;) {
    const next = wallAfter(cron, wallMs);
    if (next === undefined) return undefined;
    const atMs = instantOf(timeZone, next);
    // In an hour that comes again every time has fired already; go on to the next one.
    if (atMs > afterMs) return atMs;
    wallMs = next;
  }
}

/** The last firing at or before an instant, or undefined when there was none. */
export function lastAtOrBefore(cron: Cron, timeZone: string, atMs: number): number | undefined {
  const offsetMs = Math.max(offsetAt(timeZone, atMs), offsetAt(timeZone, atMs - dayMs));
  let wallMs = atMs + offsetMs;
  for (;;) {
    const previous = wallAtOrBefore(cron, wallMs);
    if (previous === undefined) return undefined;
    const instantMs = instantOf(timeZone, previous);
    if (instantMs <= atMs) return instantMs;
    wallMs = previous - minuteMs;
  }
}

/** Firings in [fromMs, toMs), oldest first, at most `limit`. */
export function occurrences(
  cron: Cron,
  timeZone: string,
  fromMs: number,
  toMs: number,
  limit: number,
): readonly number[] {
  const found: number[] = [];
  let at = nextAfter(cron, timeZone, fromMs - 1);
  while (at !== undefined && at < toMs && found.length < limit) {
    found.push(at);
    at = nextAfter(cron, timeZone, at);
  }
  return found;
}

const gaps = new Map<string, number>();

/**
 * The longest time between two firings of which the first lies within `days` days from `fromMs` (taken at
 * its UTC day); Infinity when it never fires. Costs one step per day, not one per firing.
 */
export function widestGapMs(cron: Cron, timeZone: string, fromMs: number, days: number): number {
  const firstDay = Math.floor(fromMs / dayMs);
  const key = `${cron.text}|${timeZone}|${firstDay}|${days}`;
  const known = gaps.get(key);
  if (known !== undefined) return known;
  const widest = measureGap(cron, timeZone, firstDay, days);
  if (gaps.size >= 20_000) gaps.clear();
  gaps.set(key, widest);
  return widest;
}

function measureGap(cron: Cron, timeZone: string, firstDay: number, days: number): number {
  let today = matchingDay(cron, firstDay, 1);
  if (today === undefined) return Number.POSITIVE_INFINITY;
  let widest = gapInside(cron);
  const first = firstOf(cron) * minuteMs;
  const last = lastOf(cron) * minuteMs;
  const end = firstDay + days;
  do {
    const next: number = matchingDay(cron, today + 1, 1) ?? Number.POSITIVE_INFINITY;
    if (next === Number.POSITIVE_INFINITY) return next;
    const gap = instantOf(timeZone, next * dayMs + first) - instantOf(timeZone, today * dayMs + last);
    if (gap > widest) widest = gap;
    today = next;
  } while (today < end);
  // Inside the days on which clocks change the firings are looked at one by one.
  for (const change of clockChanges(timeZone, firstDay * dayMs, end * dayMs)) {
    let previous = lastAtOrBefore(cron, timeZone, change.atMs - dayMs);
    while (previous !== undefined && previous < change.atMs + dayMs) {
      const next = nextAfter(cron, timeZone, previous);
      if (next === undefined) break;
      if (next - previous > widest) widest = next - previous;
      previous = next;
    }
  }
  return widest;
}

/** The widest gap between two firings of one day without a clock change. */
function gapInside(cron: Cron): number {
  let widest = 0;
  let previous: number | undefined;
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      const at = hour * 60 + minute;
      if (previous !== undefined && at - previous > widest) widest = at - previous;
      previous = at;
    }
  }
  return widest * minuteMs;
}
