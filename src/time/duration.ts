/**
 * Durations as people write them in policies: `90s`, `5m`, `1h30m`, `30d`, `2w`. There is no month and no
 * year, because their length depends on where one starts; a day is 24 hours.
 */

const unitsMs = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const order = ["w", "d", "h", "m", "s", "ms"] as const;
const part = /(\d{1,12})(ms|[wdhms])/y;

/** The same grammar as a pattern, for messages and schemas. */
export const durationPattern = /^(\d{1,12}(ms|[wdhms]))+$/;

/** Milliseconds, or undefined for text that is no duration. Units go from large to small, each at most once. */
export function parseDuration(text: string): number | undefined {
  let total = 0;
  let at = 0;
  let last = -1;
  while (at < text.length) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (match === null) return undefined;
    const unit = match[2] as (typeof order)[number];
    const rank = order.indexOf(unit);
    if (rank <= last) return undefined;
    last = rank;
    total += Number(match[1]) * unitsMs[unit];
    at = part.lastIndex;
  }
  return last === -1 || !Number.isSafeInteger(total) ? undefined : total;
}

/** Short text: `1h30m`, `7d`, `0s`; whole seconds from ten seconds on, exact below. Weeks are written as days. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "forever";
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  // Past ten seconds nobody reads the milliseconds.
  let rest = durationMs >= 10_000 ? Math.round(durationMs / 1000) * 1000 : Math.round(durationMs);
  let text = "";
  for (const unit of order) {
    if (unit === "w") continue;
    const count = Math.floor(rest / unitsMs[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitsMs[unit];
  }
  return text === "" ? "0s" : text;
}
