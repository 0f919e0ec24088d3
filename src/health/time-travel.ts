/** What an instant of the past looks like from here: pure, from catalogues, policies and the instant. */

import { canonicalJson } from "../canonical-json.ts";
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { type Instant, instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import { type ComponentKind, componentFacts } from "../component.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy, PolicySet } from "../policy/model.ts";
import { catalogueAt, goneSince } from "../recovery/as-of.ts";
import { planRestore } from "../recovery/chain.ts";
import type { SegmentName } from "../recovery/lineage.ts";
import {
  lastOfOneInstant,
  lastTogether,
  type Recoverable,
  recoverable,
  stateMsAt,
} from "../recovery/together.ts";
import type { ProofState } from "../state/health.ts";
import { checkStates, overallState, pointProof } from "./proof.ts";

/** The policies of the last commit at or before the instant, or why they are not known. */
export type PoliciesThen =
  | {
      readonly kind: "known";
      readonly revision: string;
      readonly committedAt: Instant;
      readonly set: PolicySet;
      /** Files of then that cannot be used today; a policy that seems absent may be in one of them. */
      readonly unreadableFiles: readonly string[];
    }
  | { readonly kind: "unknown"; readonly why: string };

/** What is known of one policy; without a catalogue the reason why. */
export interface PolicyFacts {
  readonly policy: Policy;
  readonly catalogue?: Catalogue;
  readonly failure?: string;
  readonly logReachMs?: number;
  readonly nameOf?: SegmentName;
}

/** How the policy of then compares with today's. */
export type InForce = "same" | "changed" | "absent" | "unreadable" | "unknown";

export interface PointProof {
  /** -1 when nothing stands. */
  readonly level: number;
  readonly at: Instant | null;
}

export interface RestoreAt {
  readonly point: PointId;
  readonly stateAt: Instant;
  readonly reason: string;
  readonly command: string;
  /** By the verdicts of then; null when the point was not stored yet. */
  readonly proofThen: PointProof | null;
  readonly proofNow: PointProof;
}

export interface PolicyAt {
  readonly policy: string;
  readonly component: ComponentKind;
  readonly inForce: InForce;
  /** Fields of the policy that were different then. */
  readonly changed: readonly string[];
  /** Stored then and still there, newest first. */
  readonly points: readonly PointId[];
  /** Known to have been there or before, and gone since. */
  readonly gone: readonly PointId[];
  /** The checklist of then, judged then by what is still there. */
  readonly checksThen: ProofState;
  readonly restore: RestoreAt | null;
  /** Why there is no restore; null when there is one. */
  readonly failure: string | null;
}

export interface TogetherAt {
  readonly at: Instant;
  readonly states: readonly { readonly policy: string; readonly stateAt: Instant }[];
  readonly spreadSeconds: number;
  /** The latest instant of which every component has a state of its own; null where there is none. */
  readonly sameInstantAt: Instant | null;
}

export interface TimeTravel {
  readonly ok: boolean;
  readonly at: Instant;
  /** Null when it is not known. */
  readonly revision: string | null;
  readonly committedAt: Instant | null;
  readonly policies: readonly PolicyAt[];
  /** Null when some policy has nothing that goes that far back. */
  readonly together: TogetherAt | null;
  readonly warnings: readonly string[];
}

/** One row for each policy of today, in their order; `ok` when every one has a restore to the instant. */
export function timeTravel(facts: readonly PolicyFacts[], then: PoliciesThen, atMs: number): TimeTravel {
  const policies = facts.map((f) => policyAt(f, then, atMs));
  const components = facts.flatMap((f) => recoverableOf(f) ?? []);
  const together = components.length === facts.length ? togetherOf(components, atMs) : null;
  return {
    ok: policies.length > 0 && policies.every((p) => p.restore !== null),
    at: instant(atMs),
    revision: then.kind === "known" ? then.revision : null,
    committedAt: then.kind === "known" ? then.committedAt : null,
    policies,
    together,
    warnings: [...policyWarnings(facts, policies, then), ...togetherWarnings(facts, together, atMs)],
  };
}

function policyAt(facts: PolicyFacts, then: PoliciesThen, atMs: number): PolicyAt {
  const { policy, catalogue } = facts;
  const was = then.kind === "known" ? then.set.policies.find((p) => p.name === policy.name) : undefined;
  const changed = was === undefined ? [] : changedFields(was, policy);
  const past = catalogue === undefined ? undefined : catalogueAt(catalogue, atMs);
  const checks = checkStates(was ?? policy, past, atMs);
  return {
    policy: policy.name,
    component: policy.component,
    inForce: inForce(then, was, changed),
    changed,
    points: (past?.points ?? []).map((p) => p.manifest.id).reverse(),
    gone: catalogue === undefined ? [] : goneSince(catalogue, atMs),
    checksThen: overallState(checks, past?.points.length ?? 0),
    ...restoreOf(facts, past, atMs),
  };
}

function inForce(then: PoliciesThen, was: Policy | undefined, changed: readonly string[]): InForce {
  if (then.kind === "unknown") return "unknown";
  if (was !== undefined) return changed.length === 0 ? "same" : "changed";
  return then.unreadableFiles.length > 0 ? "unreadable" : "absent";
}

/** Names of the fields that differ once references are followed. */
function changedFields(was: Policy, is: Policy): readonly string[] {
  const names = new Set([...Object.keys(was), ...Object.keys(is)]) as ReadonlySet<keyof Policy>;
  return [...names].filter((n) => canonicalJson(was[n] ?? null) !== canonicalJson(is[n] ?? null)).sort();
}

function restoreOf(
  facts: PolicyFacts,
  past: Catalogue | undefined,
  atMs: number,
): Pick<PolicyAt, "restore" | "failure"> {
  const { policy, catalogue, nameOf, logReachMs } = facts;
  if (catalogue === undefined)
    return { restore: null, failure: facts.failure ?? "its catalogue is not known" };
  try {
    const { point, reason } = planRestore({
      catalogue,
      target: { kind: "time", at: instant(atMs) },
      ...(nameOf === undefined ? {} : { nameOf }),
      ...(logReachMs === undefined ? {} : { logReachMs }),
    });
    const { id, consistentAt } = point.manifest;
    const before = past?.points.find((p) => p.manifest.id === id);
    const component = recoverableOf(facts);
    // What is planned with a log comes to the instant itself, also where the log's end is only estimated.
    const isExact = component?.exact === true && point.manifest.log !== undefined;
    const stateMs = isExact || component === undefined ? atMs : stateMsAt(component, atMs);
    return {
      restore: {
        point: id,
        stateAt: stateMs === undefined ? consistentAt : instant(stateMs),
        reason,
        command: `holdfast restore ${policy.name} --at ${instant(atMs)} --to DIR`,
        proofThen: before === undefined ? null : proofOf(before),
        proofNow: proofOf(point),
      },
      failure: null,
    };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { restore: null, failure: error.message };
  }
}

function proofOf(point: RecoveryPoint): PointProof {
  const { level, at } = pointProof(point);
  return { level, at };
}

/** What of a component can be brought back; undefined where its catalogue is not known. */
export function recoverableOf({ policy, catalogue, logReachMs }: PolicyFacts): Recoverable | undefined {
  if (catalogue === undefined) return undefined;
  return recoverable(catalogue, {
    ...(logReachMs === undefined ? {} : { logReachMs }),
    hasVersions: componentFacts(policy.component).keepsVersions === true,
  });
}

function togetherOf(components: readonly Recoverable[], atMs: number): TogetherAt | null {
  const found = lastTogether(components, atMs);
  if (found === undefined) return null;
  const { at, states, spreadSeconds } = found;
  return { at, states, spreadSeconds, sameInstantAt: lastOfOneInstant(components, atMs) ?? null };
}

function policyWarnings(
  facts: readonly PolicyFacts[],
  policies: readonly PolicyAt[],
  then: PoliciesThen,
): readonly string[] {
  if (then.kind === "unknown") return [`the policies in force then are not known: ${then.why}`];
  const today = new Set(facts.map((f) => f.policy.name));
  const removed = then.set.policies
    .filter((p) => !today.has(p.name))
    .map(
      (p) =>
        `policy '${p.name}' was in force then and is gone today; its points were kept in store '${p.store.name}' under '${p.store.prefix}' and are not looked at: check out ${then.revision.slice(0, 12)} and use --policies`,
    );
  const moved = policies
    .filter((p) => p.changed.includes("store"))
    .map((p) => {
      const was = then.set.policies.find((q) => q.name === p.policy)?.store;
      return `the points of '${p.policy}' were kept in store '${was?.name ?? ""}' under '${was?.prefix ?? ""}' then, which is not looked at`;
    });
  return [...removed, ...moved];
}

function togetherWarnings(
  facts: readonly PolicyFacts[],
  together: TogetherAt | null,
  atMs: number,
): readonly string[] {
  if (together === null) return [];
  const warnings: string[] = [];
  if (Date.parse(together.at) < atMs) {
    warnings.push(`not all of them can be restored to ${instant(atMs)}; together only to ${together.at}`);
  }
  if (together.spreadSeconds > 0) {
    const ordered = [...together.states].sort((a, b) => Date.parse(a.stateAt) - Date.parse(b.stateAt));
    const [oldest, newest] = [ordered[0], ordered.at(-1)];
    warnings.push(
      `restored together they are not of one instant: '${oldest?.policy ?? ""}' is of ${oldest?.stateAt ?? ""}, '${newest?.policy ?? ""}' of ${newest?.stateAt ?? ""}; what refers from one to the other may point at nothing`,
    );
  }
  const incomplete = facts.filter((f) => f.catalogue?.complete === false).map((f) => f.policy.name);
  if (incomplete.length > 0) warnings.push(`the catalogue of ${incomplete.join(", ")} is not complete`);
  return warnings;
}
