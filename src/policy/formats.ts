/** The formats of our schemas: names without a meaning in JSON Schema, so that editors pass over them. */
import { parseSize } from "../size.ts";
import { isTimeZone, parseCron } from "../time/cron.ts";
import { parseDuration } from "../time/duration.ts";

export interface Format {
  readonly check: (text: string) => boolean;
  /** What the value has to be, after "is no". */
  readonly wanted: string;
  readonly hint: string;
}

const bech32 = /^age1[02-9ac-hj-np-z]{58}$/;

export const formats: Readonly<Record<string, Format>> = {
  "duration-text": {
    check: (t) => parseDuration(t) !== undefined,
    wanted: "duration",
    hint: "write such as 90s, 5m, 1h30m, 30d or 2w, the larger unit first",
  },
  "duration-or-forever": {
    check: (t) => t === "forever" || parseDuration(t) !== undefined,
    wanted: "duration",
    hint: "write such as 30d, or forever",
  },
  "size-text": { check: (t) => parseSize(t) !== undefined, wanted: "size", hint: "write such as 512 MiB" },
  cron: { check: (t) => !("error" in parseCron(t)), wanted: "cron line", hint: 'write such as "0 2 * * *"' },
  "time-zone": {
    check: isTimeZone,
    wanted: "time zone",
    hint: "write an IANA name such as Etc/UTC or Europe/Berlin",
  },
  name: {
    check: (t) => /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(t),
    wanted: "name",
    hint: "use lower-case letters, digits and dashes, at most 63 characters",
  },
  prefix: {
    check: (t) => t === "" || (/^(?:[A-Za-z0-9_=-][\w.=-]*\/)+$/.test(t) && t.length <= 200),
    wanted: "key prefix",
    hint: "write folders that end with a slash, such as postgresql/",
  },
  bucket: {
    check: (t) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(t) && !t.includes(".."),
    wanted: "bucket name",
    hint: "3 to 63 lower-case letters, digits, dots and dashes",
  },
  "absolute-path": {
    check: (t) => /^\/[^\x00-\x1f]*$/.test(t) && !/(?:^|\/)\.\.(?:\/|$)/.test(t),
    wanted: "absolute path",
    hint: "begin with a slash and leave out '..'",
  },
  "env-name": {
    check: (t) => /^[A-Za-z_]\w*$/.test(t),
    wanted: "name of a variable",
    hint: "write such as PGPASSWORD",
  },
  "rule-id": { check: (t) => /^[a-z]+\/[a-z0-9-]+$/.test(t), wanted: "rule id", hint: "write group/name" },
  "slot-name": { check: (t) => /^[a-z0-9_]{0,63}$/.test(t), wanted: "slot name", hint: "use a-z, 0-9 and _" },
  "age-recipient": {
    check: (t) => bech32.test(t),
    wanted: "age recipient",
    hint: "write the age1… line that holdfast key new prints",
  },
  "source-item": {
    check: (t) => /^[a-z-]+\/[^\s/][^\x00-\x1f]{0,500}$/.test(t),
    wanted: "thing at a source",
    hint: "write kind and name as holdfast coverage does, such as bucket/logs or table/shop.tmp_*",
  },
  "calendar-date": { check: isDate, wanted: "date", hint: "write such as 2026-12-31" },
  "http-url": {
    check: (t) => /^https?:\/\/[^\s/@?#]+(?:[/?#][^\s]*)?$/.test(t) && URL.canParse(t),
    wanted: "http or https URL without credentials",
    hint: "write such as https://s3.example.org",
  },
};

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** The check of each format, quick for a text it has seen: the same few texts come again in every policy. */
export const formatChecks: Readonly<Record<string, (text: string) => boolean>> = Object.fromEntries(
  Object.entries(formats).map(([name, { check }]) => [name, remembering(check)]),
);

function remembering(check: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const holds = check(text);
    if (known.size > 5000) known.clear();
    known.set(text, holds);
    return holds;
  };
}
