/**
 * Offsets of IANA time zones. Intl is the only source and is slow to ask, so whole chunks of 32 days are
 * looked up once and kept as segments of equal offset; after that an offset costs a map look-up.
 */

const dayMs = 86_400_000;
const chunkMs = 32 * dayMs;

interface Segment {
  readonly fromMs: number;
  readonly offsetMs: number;
}

interface Zone {
  readonly format: Intl.DateTimeFormat;
  readonly chunks: Map<number, readonly Segment[]>;
}

/** The present offset changes at `atMs`: clocks are set forward (a gap) or back (an hour comes twice). */
export interface ClockChange {
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

const zones = new Map<string, Zone | undefined>();
/** Zones of every machine, known without asking Intl, whose first answer takes ten milliseconds. */
const universalZones = ["UTC", "Etc/UTC", "GMT", "Etc/GMT"];
const fixedZones = new Set([...universalZones, "Z"]);

function zoneOf(name: string): Zone | undefined {
  if (zones.has(name)) return zones.get(name);
  let zone: Zone | undefined;
  // Intl also takes raw offsets such as "+01:00"; those hide clock changes and are no zone names.
  if (/^[A-Za-z]/.test(name) && name.length <= 64) {
    try {
      const format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
        era: "short",
      });
      zone = { format, chunks: new Map() };
    } catch {
      zone = undefined;
    }
  }
  if (zones.size > 2000) zones.clear();
  zones.set(name, zone);
  return zone;
}

/** Whether the name is an IANA time zone this machine knows. */
export function isTimeZone(name: string): boolean {
  return universalZones.includes(name) || zoneOf(name) !== undefined;
}

function measure(zone: Zone, atMs: number): number {
  const wholeMs = Math.floor(atMs / 1000) * 1000;
  const parts: Record<string, string> = {};
  for (const { type, value } of zone.format.formatToParts(wholeMs)) parts[type] = value;
  const year = parts["era"]?.startsWith("B") ? 1 - Number(parts["year"]) : Number(parts["year"]);
  const wall = Date.UTC(
    year,
    Number(parts["month"]) - 1,
    Number(parts["day"]),
    Number(parts["hour"]),
    Number(parts["minute"]),
    Number(parts["second"]),
  );
  return wall - wholeMs;
}

function segmentsOf(zone: Zone, chunk: number): readonly Segment[] {
  const known = zone.chunks.get(chunk);
  if (known !== undefined) return known;
  const startMs = chunk * chunkMs;
  let offsetMs = measure(zone, startMs);
  const segments: Segment[] = [{ fromMs: startMs, offsetMs }];
  for (let fromMs = startMs; fromMs < startMs + chunkMs; fromMs += dayMs) {
    const next = measure(zone, fromMs + dayMs);
    if (next === offsetMs) continue;
    let low = fromMs;
    let high = fromMs + dayMs;
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000;
      if (measure(zone, middle) === offsetMs) low = middle;
      else high = middle;
    }
    offsetMs = measure(zone, high);
    if (high < startMs + chunkMs) segments.push({ fromMs: high, offsetMs });
  }
  zone.chunks.set(chunk, segments);
  return segments;
}

function segmentAt(zone: Zone, atMs: number): Segment {
  const segments = segmentsOf(zone, Math.floor(atMs / chunkMs));
  let found = segments[0] as Segment;
  for (const segment of segments) if (segment.fromMs <= atMs) found = segment;
  return found;
}

function required(timeZone: string): Zone {
  const zone = zoneOf(timeZone);
  if (zone === undefined) throw new RangeError(`unknown time zone '${timeZone}'`);
  return zone;
}

/** Local wall time minus UTC, in milliseconds, at an instant. @throws RangeError for an unknown zone */
export function offsetAt(timeZone: string, atMs: number): number {
  if (fixedZones.has(timeZone)) return 0;
  return segmentAt(required(timeZone), atMs).offsetMs;
}

/**
 * The instant of a local wall time (given as if it were UTC). A time that comes twice is taken the first
 * time; one that is skipped becomes the first instant after the gap.
 */
export function instantOf(timeZone: string, wallMs: number): number {
  if (fixedZones.has(timeZone)) return wallMs;
  const zone = required(timeZone);
  const before = segmentAt(zone, wallMs - dayMs).offsetMs;
  const after = segmentAt(zone, wallMs + dayMs).offsetMs;
  if (before === after) return wallMs - before;
  const early = wallMs - before;
  const late = wallMs - after;
  const earlyHolds = segmentAt(zone, early).offsetMs === before;
  const lateHolds = segmentAt(zone, late).offsetMs === after;
  if (earlyHolds && lateHolds) return Math.min(early, late);
  if (earlyHolds) return early;
  if (lateHolds) return late;
  // Skipped: with the old offset it falls behind the change, whose instant starts that segment.
  return segmentAt(zone, early).fromMs;
}

/** Every change of offset in [fromMs, toMs), oldest first. @throws RangeError for an unknown zone */
export function clockChanges(timeZone: string, fromMs: number, toMs: number): readonly ClockChange[] {
  if (fixedZones.has(timeZone)) return [];
  const zone = required(timeZone);
  const changes: ClockChange[] = [];
  let beforeMs = segmentAt(zone, fromMs - 1).offsetMs;
  for (let chunk = Math.floor(fromMs / chunkMs); chunk * chunkMs < toMs; chunk += 1) {
    for (const segment of segmentsOf(zone, chunk)) {
      if (segment.fromMs < fromMs) {
        beforeMs = segment.offsetMs;
        continue;
      }
      if (segment.fromMs >= toMs) break;
      if (segment.offsetMs !== beforeMs) {
        changes.push({ atMs: segment.fromMs, beforeMs, afterMs: segment.offsetMs });
      }
      beforeMs = segment.offsetMs;
    }
  }
  return changes;
}
