/** What holds now for a policy: the value behind status, metrics, alerts and the report. */
import type { Instant } from "../catalogue/instant.ts";
import type { PointId, Verdict } from "../catalogue/manifest.ts";
import type { ComponentKind } from "../component.ts";
import type { ProofLevel } from "../policy/model.ts";
import type { Run } from "./job.ts";

export type ConditionKind =
  | "backup-missing"
  | "backup-failed"
  | "backup-too-small"
  | "verification-failed"
  | "verification-overdue"
  | "unproven"
  | "escrow-unproven"
  | "rpo-missed"
  | "rto-missed"
  | "reach-missed"
  | "pitr-gap"
  | "log-behind"
  | "log-slot-lost"
  | "store-unreachable"
  | "store-identity"
  | "store-unlocked"
  | "source-unreachable"
  | "source-drift"
  | "job-drift"
  | "report-overdue"
  | "alert-undelivered"
  | "policy-broken"
  | "review-missing"
  | "catalogue-incomplete"
  | "uncovered"
  | "coverage-unknown"
  | "engine-missing"
  | "suspended";

export interface Condition {
  readonly kind: ConditionKind;
  readonly policy: string;
  readonly severity: "critical" | "warning" | "info";
  /** One sentence with the figures. */
  readonly message: string;
  /** The next command or step. */
  readonly hint: string;
}

export type ProofState = "proved" | "overdue" | "failed" | "unproven";

/** The state of one checklist row. */
export interface CheckState {
  readonly name: string;
  readonly level: ProofLevel;
  readonly everyMs: number;
  readonly state: ProofState;
  /** The newest verdict that reached the level, or failed to. */
  readonly verdict?: Verdict;
}

export interface CaptureRuns {
  /** One is under way, or the resident that takes them is alive. */
  readonly running: boolean;
  /** The newest run the platform remembers; a resident has none. */
  readonly last?: { readonly at: Instant; readonly outcome: Run["outcome"] };
  /** When the schedule is due next; none for a resident and for a suspended policy. */
  readonly nextAt?: Instant;
}

export interface PolicyHealth {
  readonly policy: string;
  readonly component: ComponentKind;
  readonly pointsCount: number;
  readonly sizeBytes: number;
  readonly newest?: { readonly id: PointId; readonly at: Instant; readonly sizeBytes: number };
  readonly oldest?: { readonly id: PointId; readonly at: Instant };
  /** Newest point with a good verdict of level 4 or more. */
  readonly proven?: { readonly id: PointId; readonly level: number; readonly at: Instant };
  readonly proof: ProofState;
  readonly checks: readonly CheckState[];
  /** Any instant from `fromAt` to `toAt` can be restored; newest range last. */
  readonly ranges: readonly { readonly fromAt: Instant; readonly toAt: Instant }[];
  /** What a disaster now would cost, from the newest restorable instant; undefined when nothing can be restored. */
  readonly exposureSeconds?: number;
  /** Last figures a restore has measured. */
  readonly measured: { readonly rpoSeconds?: number; readonly rtoSeconds?: number; readonly at?: Instant };
  /** How its captures run; undefined where no platform holds a job of them. */
  readonly captures?: CaptureRuns;
  readonly target: { readonly rpoSeconds: number; readonly rtoSeconds: number };
  /** Worst first. */
  readonly conditions: readonly Condition[];
}
