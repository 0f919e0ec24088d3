/** The checklist day by day: green on the day a check passed, pale green while that still counts, red for a failure. */
import type { Instant } from "../catalogue/instant.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { CheckRequirement } from "../policy/model.ts";
import { frame, rect, text } from "./svg-frame.ts";
import { count } from "./units.ts";

export interface ChecksPicture {
  readonly policy: string;
  readonly checks: readonly CheckRequirement[];
  readonly verdicts: readonly Verdict[];
  readonly nowMs: number;
  /** Days shown, the last is today. */
  readonly days: number;
  /** Nothing could be checked before; days before it stay empty. */
  readonly sinceAt?: Instant;
}

export type DayState = "passed" | "counts" | "failed" | "overdue" | "none";

const dayMs = 86_400_000;
const width = 800;
const left = 210;
const classes: Readonly<Record<DayState, string>> = {
  passed: "good",
  counts: "goodsoft",
  failed: "bad",
  overdue: "warn",
  none: "none",
};

/** The state of one check on each day, oldest first. A failure stays until a later success. */
export function dayStates(picture: ChecksPicture, check: CheckRequirement): readonly DayState[] {
  const today = Math.floor(picture.nowMs / dayMs);
  const since =
    picture.sinceAt === undefined
      ? Number.NEGATIVE_INFINITY
      : Math.floor(Date.parse(picture.sinceAt) / dayMs);
  const judged = picture.verdicts
    .filter((v) => v.asked >= check.level)
    .map((v) => ({ ms: Date.parse(v.at), good: v.level >= check.level }))
    .filter((v) => Number.isFinite(v.ms) && v.ms <= picture.nowMs)
    .sort((a, b) => a.ms - b.ms);
  const states: DayState[] = [];
  let next = 0;
  let newest: { ms: number; good: boolean } | undefined;
  for (let day = today - picture.days + 1; day <= today; day += 1) {
    const endMs = Math.min((day + 1) * dayMs - 1, picture.nowMs);
    let judgedToday = false;
    for (let verdict = judged[next]; verdict !== undefined && verdict.ms <= endMs; verdict = judged[next]) {
      judgedToday = judgedToday || verdict.ms >= day * dayMs;
      newest = verdict;
      next += 1;
    }
    if (newest === undefined)
      states.push(day < since || picture.sinceAt === undefined ? "none" : day === since ? "none" : "overdue");
    else if (!newest.good) states.push("failed");
    else if (judgedToday) states.push("passed");
    else states.push(endMs - newest.ms <= check.everyMs ? "counts" : "overdue");
  }
  return states;
}

/** The picture as an SVG document, one row per check. */
export function checksSvg(picture: ChecksPicture): string {
  const rows = picture.checks.map((check) => ({ check, states: dayStates(picture, check) }));
  const height = 100 + Math.max(1, rows.length) * 26;
  const cell = (width - left - 24) / Math.max(1, picture.days);
  const body: string[] = [];
  rows.forEach(({ check, states }, index) => {
    const y = 46 + index * 26;
    body.push(text(20, y + 14, check.name, { limit: 28 }));
    states.forEach((state, day) => {
      body.push(rect(left + day * cell, y, cell - 3, 19, classes[state], 3));
    });
  });
  const under = 46 + Math.max(1, rows.length) * 26 + 12;
  if (rows.length === 0)
    body.push(text(20, 60, "the checklist is empty: nothing is proved", { className: "bad" }));
  const every = Math.ceil(picture.days / 9);
  for (let day = picture.days - 1; day >= 0; day -= every) {
    const label = new Date(picture.nowMs - (picture.days - 1 - day) * dayMs).toISOString().slice(5, 10);
    body.push(
      text(left + (day + 0.5) * cell - 1.5, under, label, { className: "dim small", anchor: "middle" }),
    );
  }
  body.push(...legend(under + 26));
  const description = rows
    .map(
      ({ check, states }) =>
        `${check.name}: passed on ${count(states.filter((s) => s === "passed").length, "day")}, failed on ${states.filter((s) => s === "failed").length}, overdue on ${states.filter((s) => s === "overdue").length}.`,
    )
    .join(" ");
  const title = `Checklist, last ${count(picture.days, "day")}: ${picture.policy}`;
  return frame(
    { title, description: description === "" ? "There is no check." : description, width, height },
    body,
  );
}

function legend(y: number): readonly string[] {
  const entries: readonly (readonly [DayState, string])[] = [
    ["passed", "passed that day"],
    ["counts", "still counts"],
    ["overdue", "overdue"],
    ["failed", "failed"],
    ["none", "not known"],
  ];
  const drawn: string[] = [];
  let x = 20;
  for (const [state, label] of entries) {
    drawn.push(rect(x, y - 10, 12, 12, classes[state], 2), text(x + 18, y, label, { className: "small" }));
    x += 36 + label.length * 6.6;
  }
  return drawn;
}
