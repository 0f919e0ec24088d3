/**
 * The calendar of proof: one cell a day, a column a week, Monday on top. Each cell that says something carries
 * the level it reached or a cross, so that no meaning hangs on a colour alone.
 */
import type { Verdict } from "../catalogue/manifest.ts";
import { provingLevel } from "../retention/points.ts";
import { frame, rect, text } from "./svg-frame.ts";
import { count } from "./units.ts";

export interface CalendarPicture {
  readonly policy: string;
  readonly verdicts: readonly Verdict[];
  readonly nowMs: number;
}

/** What verification said on one day of UTC. */
export interface ProofDay {
  /** `2026-11-22` */
  readonly day: string;
  /** Failed when the last failure of the day was not followed by a success that reached what had been asked. */
  readonly state: "proved" | "verified" | "failed";
  /** Highest level reached without a fault that day; -1 for none. */
  readonly level: number;
  /** Verifications that failed that day, mended or not. */
  readonly failures: number;
}

const dayMs = 86_400_000;
const weeks = 26;
const width = 800;
const height = 256;
const left = 64;
const top = 58;
const cell = 20;
const step = 27;
const classes = { proved: "good", verified: "goodsoft", failed: "bad" } as const;

/** Days with a verdict inside the calendar's 26 weeks, oldest first. The order of the verdicts does not matter. */
export function proofDays(picture: CalendarPicture): readonly ProofDay[] {
  const firstMs = mondayOf(picture.nowMs) - (weeks - 1) * 7 * dayMs;
  const days = new Map<string, Verdict[]>();
  for (const verdict of picture.verdicts) {
    const ms = Date.parse(verdict.at);
    if (!(ms >= firstMs && ms <= picture.nowMs)) continue;
    const day = new Date(ms).toISOString().slice(0, 10);
    const given = days.get(day);
    if (given === undefined) days.set(day, [verdict]);
    else given.push(verdict);
  }
  return [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, verdicts]) => dayOf(day, verdicts));
}

function dayOf(day: string, unsorted: readonly Verdict[]): ProofDay {
  const verdicts = [...unsorted].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const failures = verdicts.filter((v) => !v.ok);
  const last = failures.at(-1);
  const isOpen = last !== undefined && !verdicts.some((v) => v.ok && v.at > last.at && v.level >= last.asked);
  const level = verdicts.reduce((most, v) => Math.max(most, v.ok ? v.level : -1), -1);
  const good = level >= provingLevel ? "proved" : "verified";
  return { day, level, failures: failures.length, state: isOpen ? "failed" : good };
}

/** The picture in words. */
export function describeCalendar(days: readonly ProofDay[]): string {
  const of = (state: ProofDay["state"]) => days.filter((d) => d.state === state);
  const newest = of("proved").at(-1)?.day;
  const failed = of("failed").map((d) => d.day);
  return [
    `In ${weeks} weeks: ${count(of("proved").length, "day")} proved by a restore, ${of("verified").length} verified to a lower level, ${failed.length} failed; nothing on the others.`,
    newest === undefined ? "No restore." : `The newest proof is of ${newest}.`,
    ...(failed.length === 0 ? [] : [`Failed: ${failed.slice(-5).join(", ")}.`]),
  ].join(" ");
}

/** The picture as an SVG document. */
export function calendarSvg(picture: CalendarPicture): string {
  const days = new Map(proofDays(picture).map((day) => [day.day, day]));
  const firstMs = mondayOf(picture.nowMs) - (weeks - 1) * 7 * dayMs;
  const body: string[] = [];
  for (const [row, name] of [
    [0, "Mon"],
    [2, "Wed"],
    [4, "Fri"],
    [6, "Sun"],
  ] as const)
    body.push(text(left - 10, top + row * 22 + 14, name, { className: "dim small", anchor: "end" }));
  for (let week = 0; week < weeks; week += 1) {
    const x = left + week * step;
    const mondayMs = firstMs + week * 7 * dayMs;
    if (week % 4 === 0)
      body.push(text(x, top - 8, new Date(mondayMs).toISOString().slice(0, 10), { className: "dim small" }));
    for (let row = 0; row < 7; row += 1) {
      const ms = mondayMs + row * dayMs;
      if (ms > picture.nowMs) continue;
      body.push(...drawDay(x, top + row * 22, days.get(new Date(ms).toISOString().slice(0, 10))));
    }
  }
  const title = `Calendar of proof: ${picture.policy}`;
  return frame({ title, description: describeCalendar([...days.values()]), width, height }, [
    ...body,
    ...legend(),
  ]);
}

function drawDay(x: number, y: number, day: ProofDay | undefined): readonly string[] {
  if (day === undefined) return [rect(x, y, cell, cell - 2, "none", 3)];
  const drawn = [
    rect(x, y, cell, cell - 2, classes[day.state], 3),
    text(x + cell / 2, y + 13, day.state === "failed" ? "✕" : String(day.level), {
      className: day.state === "verified" ? "small" : "on small strong",
      anchor: "middle",
    }),
  ];
  // A failure that was mended the same day stays to be seen.
  if (day.state !== "failed" && day.failures > 0)
    drawn.push(`<path class="bad" d="M${x + cell - 7} ${y}h7v7z"/>`);
  return drawn;
}

function legend(): readonly string[] {
  const y = height - 20;
  const entries = [
    ["proved", "5", "proved by a restore: the level", 250],
    ["verified", "3", "verified to a lower level", 210],
    ["failed", "✕", "failed", 76],
  ] as const;
  const drawn: string[] = [];
  let x = 20;
  for (const [state, sign, label, long] of entries) {
    drawn.push(
      rect(x, y - 13, 18, 17, classes[state], 3),
      text(x + 9, y, sign, {
        className: state === "verified" ? "small" : "on small strong",
        anchor: "middle",
      }),
      text(x + 25, y, label, { className: "small" }),
    );
    x += long;
  }
  drawn.push(
    `<path class="bad" d="M${x + 4} ${y - 10}h9v9z"/>`,
    text(x + 20, y, "failed and mended the same day", { className: "small" }),
  );
  return drawn;
}

function mondayOf(ms: number): number {
  const day = Math.floor(ms / dayMs);
  return (day - ((day + 3) % 7)) * dayMs;
}
