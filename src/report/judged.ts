/** What a report works out from its input before a word of it is written: markdown, pictures and JSON share it. */
import { type ErrorBudget, errorBudget, exposureTeeth, type Tooth } from "../health/error-budget.ts";
import { isGood } from "../retention/points.ts";
import { type Failures, failuresOf } from "./failures.ts";
import type { PolicyReport, ReportInput } from "./input.ts";
import { type ProofDay, proofDays } from "./svg-calendar.ts";
import { type RetentionPicture, retentionPicture } from "./svg-retention.ts";

export interface JudgedPolicy extends PolicyReport {
  /** Place in the JSON's `policies`. */
  readonly index: number;
  readonly teeth: readonly Tooth[];
  /** Missing when there was no point to judge. */
  readonly budget?: ErrorBudget;
  /** Restores of the time that measured how long they took, and how many of them held the RTO. */
  readonly restores: { readonly count: number; readonly withinRto: number };
  readonly failures: Failures;
  readonly days: readonly ProofDay[];
  readonly retention: RetentionPicture;
}

/** @param input in order already: the place in it is the place in the JSON */
export function judgePolicies(input: ReportInput): readonly JudgedPolicy[] {
  return input.policies.map((entry, index) => {
    const teeth = teethOf(entry, input);
    const { target } = entry.health;
    const budget = errorBudget(teeth, target.rpoSeconds);
    const timed = entry.drills.flatMap((d) => d.measured.rtoSeconds ?? []);
    return {
      ...entry,
      index,
      teeth,
      ...(budget === undefined ? {} : { budget }),
      restores: { count: timed.length, withinRto: timed.filter((s) => s <= target.rtoSeconds).length },
      failures: failuresOf(entry, input.fromAt),
      days: proofDays({
        policy: entry.policy.name,
        verdicts: (entry.catalogue?.points ?? []).flatMap((p) => p.verdicts),
        nowMs: input.nowMs,
      }),
      retention: retentionPicture(entry, input.nowMs),
    };
  });
}

/** Points that are damaged count for nothing; points that were pruned since were there in their time. */
function teethOf({ catalogue, health, prune }: PolicyReport, input: ReportInput): readonly Tooth[] {
  const there = (catalogue?.points ?? []).filter(isGood).map(({ manifest }) => manifest);
  const points = [...there, ...prune].flatMap(({ consistentAt, finishedAt }) =>
    consistentAt === undefined || finishedAt === undefined
      ? []
      : [{ consistentMs: Date.parse(consistentAt), finishedMs: Date.parse(finishedAt) }],
  );
  return exposureTeeth({
    points,
    ranges: health.ranges.map((r) => ({ fromMs: Date.parse(r.fromAt), toMs: Date.parse(r.toAt) })),
    fromMs: Date.parse(input.fromAt),
    toMs: Math.min(Date.parse(input.toAt), input.nowMs),
  });
}
