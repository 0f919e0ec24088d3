/** Histories and keep tables made at random from one printed seed. */
import type { KeepTable } from "../../../src/policy/model.ts";
import type { RetentionPoint } from "../../../src/retention/decide.ts";

/** Mulberry32: small, good enough, the same everywhere. */
export function generator(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Half hours, quarters, both hemispheres, midnight changes, a skipped day, a change of thirty minutes. */
export const zones = [
  "Etc/UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "America/Sao_Paulo",
  "America/Havana",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Asia/Tehran",
  "Asia/Beirut",
  "Australia/Lord_Howe",
  "Australia/Adelaide",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
  "Africa/Casablanca",
  "Africa/Cairo",
  "Europe/Dublin",
  "America/Santiago",
  "Asia/Gaza",
  "Europe/London",
] as const;

export interface Case {
  readonly points: readonly RetentionPoint[];
  readonly keep: KeepTable;
  readonly timeZone: string;
  readonly nowMs: number;
}

const strides = [
  60_000, 1_200_000, 3_600_000, 10_800_000, 86_400_000, 259_200_000, 604_800_000, 2_592_000_000,
];
/** Instants around which calendars go wrong: year ends, week 53, leap days, clock changes. */
const corners = [
  "2020-12-28T00:00:00Z",
  "2021-01-03T23:00:00Z",
  "2024-02-29T12:00:00Z",
  "2024-12-30T00:00:00Z",
  "2026-03-29T01:00:00Z",
  "2026-10-25T01:00:00Z",
  "2026-12-31T23:59:59Z",
  "2011-12-30T10:00:00Z",
  "2016-01-01T00:00:00Z",
  "2000-02-29T00:00:00Z",
].map((text) => Date.parse(text));

export function makeCase(random: () => number): Case {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const below = (limit: number) => Math.floor(random() * limit);
  const newestMs =
    random() < 0.3
      ? pick(corners) + below(7_200_000)
      : Date.UTC(2000 + below(38), below(12), 1 + below(28), below(24), below(60), below(60));
  const stride = pick(strides);
  const points: RetentionPoint[] = [];
  const failing = pick([0, 0, 0.2, 0.6]);
  const chaining = pick([0, 0, 0.5]);
  let atMs = newestMs;
  for (let n = below(22); n > 0; n -= 1) {
    // One in eight shares its instant with the one before it.
    if (random() > 0.125) atMs -= 1 + below(stride * 2);
    if (random() < 0.05) atMs -= stride * below(40);
    points.push({
      id: `p${String(below(1e9)).padStart(9, "0")}-${n}`,
      atMs,
      good: random() >= failing,
      parents: [],
    });
  }
  const linked: RetentionPoint[] = points.map((point, index) => {
    const older = points.slice(index + 1);
    const parents = older.length > 0 && random() < chaining ? [pick(older).id] : [];
    return { ...point, parents: random() < 0.02 ? [...parents, "gone"] : parents };
  });
  for (let i = linked.length - 1; i > 0; i -= 1) {
    const j = below(i + 1);
    [linked[i], linked[j]] = [linked[j] as RetentionPoint, linked[i] as RetentionPoint];
  }
  const nowMs = newestMs + (random() < 0.1 ? -below(86_400_000) : below(3 * 86_400_000));
  return { points: linked, keep: makeKeep(random), timeZone: pick(zones), nowMs };
}

export function makeKeep(random: () => number): KeepTable {
  if (random() < 0.01) return { forever: true };
  const keep: Record<string, number> = {};
  for (const line of ["last", "hourly", "daily", "weekly", "monthly", "yearly", "days"]) {
    if (random() < 0.35) keep[line] = 1 + Math.floor(random() * 8);
  }
  if (Object.keys(keep).length === 0) keep["daily"] = 3;
  return keep;
}
