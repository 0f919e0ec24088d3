/** Instants are UTC and ISO 8601 with milliseconds in values, and basic form in object keys. */

export type Instant = string;

/** `2026-11-20T02:00:00.000Z` */
export function instant(ms: number): Instant {
  return new Date(ms).toISOString();
}

/** `20261120T020000Z`, or with `.mmm` before the Z when the milliseconds are not zero; sorts as time does. */
export function compactInstant(ms: number): string {
  const text = new Date(ms).toISOString().replaceAll("-", "").replaceAll(":", "");
  return text.endsWith(".000Z") ? `${text.slice(0, 15)}Z` : text;
}
