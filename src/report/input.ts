/**
 * What a report is made of. The caller gathers it and has redacted every message in it; this room only
 * renders. Instants are ISO texts, `nowMs` is the only clock.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Instant } from "../catalogue/instant.ts";
import type { PointId, Verdict } from "../catalogue/manifest.ts";
import type { Coverage } from "../health/coverage.ts";
import type { Policy } from "../policy/model.ts";
import type { Condition, ConditionKind, PolicyHealth } from "../state/health.ts";
import type { Run } from "../state/job.ts";

/** A point whose bytes went, or were marked to go, inside the report's time. */
export interface PrunedPoint {
  readonly point: PointId;
  readonly reason: string;
  readonly at: Instant;
  /** 0 while it is only marked. */
  readonly removedBytes: number;
  /** Of the point that is gone; missing where an earlier version wrote the journal. */
  readonly consistentAt?: Instant;
  readonly finishedAt?: Instant;
}

/** What of a waiver a reader of the report has to know. */
export interface ReportedWaiver {
  readonly rule: string;
  readonly document: string;
  readonly reason: string;
  readonly owner: string;
  /** ISO date; it holds through that day in UTC. */
  readonly until: string;
}

/** A condition from the look at which the reconciler saw it first to the one at which it saw it no more. */
export interface Episode {
  readonly kind: ConditionKind;
  readonly severity: Condition["severity"];
  /** What was said when it began. */
  readonly message: string;
  readonly fromAt: Instant;
  /** Missing while it holds. */
  readonly toAt?: Instant;
}

export interface PolicyReport {
  readonly policy: Policy;
  readonly health: PolicyHealth;
  /** Missing when the store could not be read. */
  readonly catalogue?: Catalogue;
  /** Runs inside the report's time, in any order. */
  readonly runs: readonly Run[];
  readonly prune: readonly PrunedPoint[];
  /** Those that had not ended before the report's time. */
  readonly episodes: readonly Episode[];
  /** Verdicts of level 4 and more inside the report's time. */
  readonly drills: readonly Verdict[];
}

export interface ReportInput {
  readonly cluster: string;
  /** Commit of the policy repository this report judges. */
  readonly revision: string;
  /** Fixes the random choices of the drills; a commit made before them. */
  readonly seed: string;
  readonly fromAt: Instant;
  readonly toAt: Instant;
  readonly nowMs: number;
  readonly platformName: string;
  readonly policies: readonly PolicyReport[];
  /** Commit that carried the report before this one; missing for the first. */
  readonly previousCommit?: string;
  /** Policies whose component has no engine yet. They are not protected. */
  readonly notBuilt: readonly { readonly policy: string; readonly component: string }[];
  readonly waivers: readonly ReportedWaiver[];
  /** Lines of whoever asked for the report, such as why. */
  readonly remarks: readonly string[];
  /** Missing where nobody has looked at what else the sources hold. */
  readonly coverage?: Coverage;
  /** Names of reports that exist, `2026/W46`; this one is added by the renderer. */
  readonly existing: readonly string[];
}
