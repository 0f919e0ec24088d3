/** What a change of the policies would do, to jobs and to points already stored. For reviewing it before it is merged. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { ComponentKind } from "../component.ts";
import type { Policy, PolicySet } from "../policy/model.ts";
import { decide, type RetentionDecision } from "../retention/decide.ts";
import { retentionPoint, timeZoneOf } from "../retention/points.ts";
import type { Note } from "../state/plan.ts";
import { changedFields } from "./changed.ts";
import { desiredJobs } from "./jobs.ts";

export interface DifferenceInput {
  readonly base: PolicySet;
  readonly head: PolicySet;
  readonly builtKinds: readonly ComponentKind[];
  /** By policy name. */
  readonly catalogues: ReadonlyMap<string, Catalogue>;
  readonly nowMs: number;
}

export interface PointsDifference {
  readonly policy: string;
  /** Kept by the keep table of base and not by that of head. */
  readonly newlyExpired: readonly { readonly id: PointId; readonly reason: string }[];
  readonly newlyKept: readonly PointId[];
}

export interface PlanDifference {
  /** Keys, sorted. */
  readonly jobs: {
    readonly created: readonly string[];
    readonly updated: readonly string[];
    readonly removed: readonly string[];
  };
  /** Policies with any difference. */
  readonly points: readonly PointsDifference[];
  readonly notes: readonly Note[];
}

/** Pure, and the tables alone: what floors and holds keep on top is for the prune plan of the day. */
export function planDifference(input: DifferenceInput): PlanDifference {
  const { base, head, builtKinds } = input;
  const was = new Map(desiredJobs(base, builtKinds).jobs.map((j) => [j.key, j]));
  const desired = desiredJobs(head, builtKinds);
  const is = new Map(desired.jobs.map((j) => [j.key, j]));
  const updated = [...is].flatMap(([key, job]) => {
    const before = was.get(key);
    return before !== undefined && changedFields(before, job).length > 0 ? [key] : [];
  });
  return {
    jobs: {
      created: [...is.keys()].filter((key) => !was.has(key)).sort(),
      updated: updated.sort(),
      removed: [...was.keys()].filter((key) => !is.has(key)).sort(),
    },
    points: head.policies.flatMap((policy) => pointsDifference(policy, input)),
    notes: [...newNotes(input, desired.notes), ...removedNotes(input)],
  };
}

function pointsDifference(
  policy: Policy,
  { base, catalogues, nowMs }: DifferenceInput,
): readonly PointsDifference[] {
  const before = base.policies.find((p) => p.name === policy.name);
  const catalogue = catalogues.get(policy.name);
  if (before === undefined || catalogue === undefined) return [];
  const points = catalogue.points.map(retentionPoint);
  const decided = (p: Policy): readonly RetentionDecision[] =>
    decide({ points, keep: p.retention.keep, timeZone: timeZoneOf(p), nowMs });
  const was = decided(before);
  const is = decided(policy);
  const newlyExpired = is.flatMap((d, index) =>
    !d.keep && was[index]?.keep === true ? [{ id: d.id, reason: d.reasons.join("; ") }] : [],
  );
  const newlyKept = is.flatMap((d, index) => (d.keep && was[index]?.keep === false ? [d.id] : []));
  if (newlyExpired.length === 0 && newlyKept.length === 0) return [];
  return [{ policy: policy.name, newlyExpired, newlyKept }];
}

/** Notes that base did not have already. */
function newNotes({ base, builtKinds }: DifferenceInput, notes: readonly Note[]): readonly Note[] {
  const known = new Set(desiredJobs(base, builtKinds).notes.map((n) => `${n.policy} ${n.message}`));
  return notes.filter((n) => !known.has(`${n.policy} ${n.message}`));
}

function removedNotes({ base, head, catalogues }: DifferenceInput): readonly Note[] {
  const gone = base.policies.filter((p) => !head.policies.some((q) => q.name === p.name));
  const notes: Note[] = gone.map((policy) => {
    const count = catalogues.get(policy.name)?.points.length;
    const points = count === undefined ? "its recovery points stay" : `its ${count} recovery points stay`;
    const message = `the policy goes: nothing is captured for it any more; ${points} in the store, untouched`;
    return { policy: policy.name, severity: "warning", message };
  });
  for (const policy of head.policies) {
    const before = base.policies.find((p) => p.name === policy.name);
    if (before === undefined) continue;
    const was = `${before.store.name} ${before.store.prefix}`;
    if (was === `${policy.store.name} ${policy.store.prefix}`) continue;
    const message = `its points go to store '${policy.store.name}' under '${policy.store.prefix}' from now on; those under '${before.store.prefix}' of '${before.store.name}' stay and are listed no more`;
    notes.push({ policy: policy.name, severity: "warning", message });
  }
  return notes;
}
