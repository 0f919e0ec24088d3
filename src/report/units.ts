/** Sizes, durations and instants as people read them. No locale, no clock: the same value is always the same text. */

const sizeUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** `1.4 GiB`; three significant digits at most. Not a number or negative becomes "–". */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return "–";
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text.replace(/\.0$/, "")} ${sizeUnits[unit] ?? "B"}`;
}

/** `42 s`, `4 min 10 s`, `3 h 5 min`, `12 d 4 h`; undefined becomes "–". Under ten seconds one decimal is kept. */
export function formatSeconds(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0) return `-${formatSeconds(-seconds)}`;
  if (seconds < 9.95) return `${seconds.toFixed(1).replace(/\.0$/, "")} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [big, small, bigName, smallName] =
    whole < 3600
      ? [Math.floor(whole / 60), whole % 60, "min", "s"]
      : whole < 86_400
        ? [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), "h", "min"]
        : [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), "d", "h"];
  // Beyond four weeks the hours say nothing any more.
  return small === 0 || (bigName === "d" && big >= 28)
    ? `${big} ${bigName}`
    : `${big} ${bigName} ${small} ${smallName}`;
}

/** `2026-11-20 02:00Z`, with seconds when they are not zero. Text that is no instant becomes "unknown". */
export function formatInstant(at: string): string {
  const ms = Date.parse(at);
  if (Number.isNaN(ms)) return "unknown";
  const iso = new Date(ms).toISOString();
  const seconds = iso.slice(16, 19) === ":00" ? "" : iso.slice(16, 19);
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}${seconds}Z`;
}

/** `3 h 5 min ago`; an instant in the future is `in …`. */
export function formatAge(at: string | undefined, nowMs: number): string {
  if (at === undefined) return "never";
  const ms = Date.parse(at);
  if (Number.isNaN(ms)) return "unknown";
  const seconds = (nowMs - ms) / 1000;
  return seconds < 0 ? `in ${formatSeconds(-seconds)}` : `${formatSeconds(seconds)} ago`;
}

/** `1 point`, `2 points`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** Year and number of the ISO 8601 week (Monday first, UTC); the year is the week's, not the day's. */
export function isoWeek(ms: number): { readonly year: number; readonly week: number; readonly name: string } {
  const dayMs = 86_400_000;
  const date = new Date(ms);
  const weekday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(Math.floor(ms / dayMs) * dayMs + (3 - weekday) * dayMs);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * dayMs));
  return { year, week, name: `${String(year).padStart(4, "0")}/W${String(week).padStart(2, "0")}` };
}
