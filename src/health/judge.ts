/**
 * What holds for a policy now: its points, its proof, what can be restored, and every condition that somebody
 * must know of. What was not observed is said to be missing and never taken for good.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { KeyRecipient, Policy } from "../policy/model.ts";
import { reachableRanges } from "../recovery/chain.ts";
import type { Condition, PolicyHealth } from "../state/health.ts";
import type { ActualJob, SourceFacts, StoreFacts } from "../state/job.ts";
import { captureRuns } from "./captures.ts";
import { worstFirst } from "./conditions.ts";
import { judgeEscrow } from "./judge-escrow.ts";
import { judgeJobs, judgeSource, judgeStore } from "./judge-facts.ts";
import { judgeObjectives, judgePoints } from "./judge-points.ts";
import { judgeProof } from "./judge-proof.ts";
import { checkStates, lastMeasured, newestProven, overallState } from "./proof.ts";

export interface JudgeInput {
  readonly policy: Policy;
  /** Of all key rings. */
  readonly keys: readonly KeyRecipient[];
  /** Undefined when the store could not be read. */
  readonly catalogue?: Catalogue;
  readonly source?: SourceFacts;
  readonly store?: StoreFacts;
  /** Of this policy. */
  readonly jobs: readonly ActualJob[];
  readonly logReachMs?: number;
  readonly nowMs: number;
}

/** Everything the rules look at. */
export interface Judged extends JudgeInput {
  readonly ranges: PolicyHealth["ranges"];
  readonly exposureMs?: number;
  readonly checks: PolicyHealth["checks"];
  readonly measured: PolicyHealth["measured"];
}

/** Pure; `conditions` is worst first. */
export function judge(input: JudgeInput): PolicyHealth {
  const { policy, catalogue, nowMs, logReachMs } = input;
  const points = [...(catalogue?.points ?? [])].sort((a, b) =>
    a.manifest.slotAt < b.manifest.slotAt ? -1 : 1,
  );
  const ranges =
    catalogue === undefined
      ? []
      : reachableRanges(logReachMs === undefined ? { catalogue } : { catalogue, logReachMs });
  const newestMs = ranges.reduce((most, r) => Math.max(most, Date.parse(r.toAt)), Number.NEGATIVE_INFINITY);
  const exposureMs = ranges.length === 0 ? undefined : Math.max(0, nowMs - newestMs);
  const checks = checkStates(policy, catalogue, nowMs);
  const measured = lastMeasured(points);
  const judged: Judged = {
    ...input,
    ranges,
    checks,
    measured,
    ...(exposureMs === undefined ? {} : { exposureMs }),
  };
  const conditions: readonly Condition[] = [
    ...judgeStore(judged),
    ...judgeSource(judged),
    ...judgeJobs(judged),
    ...judgePoints(judged),
    ...judgeObjectives(judged),
    ...judgeProof(judged, overallState(checks, points.length)),
    ...judgeEscrow(judged),
  ];
  const newest = points.at(-1);
  const oldest = points[0];
  const proven = newestProven(points);
  const captures = captureRuns(input.jobs, nowMs);
  return {
    policy: policy.name,
    component: policy.component,
    pointsCount: points.length,
    sizeBytes: points.reduce((sum, p) => sum + p.manifest.sizeBytes, 0),
    ...(newest === undefined
      ? {}
      : {
          newest: {
            id: newest.manifest.id,
            at: newest.manifest.consistentAt,
            sizeBytes: newest.manifest.sizeBytes,
          },
        }),
    ...(oldest === undefined ? {} : { oldest: { id: oldest.manifest.id, at: oldest.manifest.consistentAt } }),
    ...(proven === undefined ? {} : { proven }),
    proof: overallState(checks, points.length),
    checks,
    ranges,
    ...(exposureMs === undefined ? {} : { exposureSeconds: Math.round(exposureMs / 1000) }),
    measured,
    ...(captures === undefined ? {} : { captures }),
    target: { rpoSeconds: policy.objectives.rpoMs / 1000, rtoSeconds: policy.objectives.rtoMs / 1000 },
    conditions: worstFirst(conditions),
  };
}
