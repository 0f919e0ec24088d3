/**
 * The whole stack: every component in the order in which they need each other, all at one instant. What they
 * share is chosen here; `restore-all.ts` brings it back, `verify-all.ts` proves that it can be.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { type Instant, instant } from "../catalogue/instant.ts";
import { componentFacts } from "../component.ts";
import { HoldfastError } from "../errors.ts";
import { type PolicyFacts, recoverableOf } from "../health/time-travel.ts";
import type { Policy } from "../policy/model.ts";
import { planRestore } from "../recovery/chain.ts";
import { lastTogether, type Recoverable, stateMsAt } from "../recovery/together.ts";

/** A component of the stack with a way back to the common instant. */
export interface StackMember {
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  /** How far its log reaches; only where it has one. */
  readonly logReachMs?: number;
  /** What it holds when the stack is restored to `StackPlan.at`. */
  readonly stateAt: Instant;
}

export interface LeftOut {
  readonly policy: Policy;
  readonly failure: string;
}

export interface StackPlan {
  /** The latest instant at or before the one asked for to which all members can be restored. */
  readonly at: Instant;
  /** Between the oldest and the newest of the members' states; 0 when all are of one instant. */
  readonly spreadSeconds: number;
  /** In the order of the restore. */
  readonly members: readonly StackMember[];
  /** What cannot come along, and why; in the order of the restore. */
  readonly leftOut: readonly LeftOut[];
}

/** Secrets, databases, objects, cluster; alike ones by name. */
export function inRestoreOrder<T extends { readonly policy: Policy }>(rows: readonly T[]): readonly T[] {
  return [...rows].sort(
    (a, b) =>
      componentFacts(a.policy.component).restoreOrder - componentFacts(b.policy.component).restoreOrder ||
      (a.policy.name < b.policy.name ? -1 : 1),
  );
}

/** Pure. @throws target-unreachable when no component has anything that goes back to `atMs` */
export function planStack(facts: readonly PolicyFacts[], atMs: number): StackPlan {
  const ordered = inRestoreOrder(facts);
  const known = ordered.map((f) => ({ ...f, component: recoverableOf(f) }));
  const usable = known.flatMap(({ component, ...f }) =>
    component !== undefined && f.catalogue !== undefined && stateMsAt(component, atMs) !== undefined
      ? [{ facts: { ...f, catalogue: f.catalogue }, component }]
      : [],
  );
  const together = lastTogether(
    usable.map((u) => u.component),
    atMs,
  );
  if (together === undefined) {
    throw new HoldfastError(
      "target-unreachable",
      [`there is no instant up to ${instant(atMs)} to restore to`, ...unknownIn(ordered)].join("; "),
      {
        hint: "holdfast at INSTANT says for every component what can be brought back",
      },
    );
  }
  const members = usable.map(({ facts: { policy, catalogue, logReachMs } }, n) => ({
    policy,
    catalogue,
    ...(logReachMs === undefined ? {} : { logReachMs }),
    stateAt: together.states[n]?.stateAt ?? together.at,
  }));
  const leftOut = known.flatMap(({ component, ...f }) =>
    members.some((m) => m.policy.name === f.policy.name)
      ? []
      : [{ policy: f.policy, failure: whyNot(f, component, atMs) }],
  );
  return { at: together.at, spreadSeconds: together.spreadSeconds, members, leftOut };
}

/** Why catalogues are not known; those of one reason together. */
function unknownIn(facts: readonly PolicyFacts[]): readonly string[] {
  const policies = new Map<string, string[]>();
  for (const { policy, failure } of facts)
    if (failure !== undefined) policies.set(failure, [...(policies.get(failure) ?? []), policy.name]);
  return [...policies].map(([failure, names]) => `${names.join(", ")}: ${failure}`);
}

function whyNot(facts: PolicyFacts, component: Recoverable | undefined, atMs: number): string {
  const { policy, catalogue, failure } = facts;
  if (component === undefined || catalogue === undefined) return failure ?? "its catalogue is not known";
  try {
    planRestore({ catalogue, target: { kind: "time", at: instant(atMs) } });
  } catch (error) {
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
  return `policy '${policy.name}' has nothing that goes back to ${instant(atMs)}`;
}
