/** How conditions are made and ordered. */
import type { Condition, ConditionKind } from "../state/health.ts";

const severities: Readonly<Record<ConditionKind, Condition["severity"]>> = {
  "backup-missing": "critical",
  "backup-failed": "critical",
  "backup-too-small": "warning",
  "verification-failed": "critical",
  "verification-overdue": "warning",
  unproven: "warning",
  "escrow-unproven": "warning",
  "rpo-missed": "critical",
  "rto-missed": "warning",
  "reach-missed": "critical",
  "pitr-gap": "critical",
  "log-behind": "warning",
  "log-slot-lost": "critical",
  "store-unreachable": "critical",
  "store-identity": "critical",
  "store-unlocked": "critical",
  "source-unreachable": "critical",
  "source-drift": "warning",
  "job-drift": "warning",
  "report-overdue": "critical",
  "alert-undelivered": "critical",
  "policy-broken": "critical",
  "review-missing": "critical",
  "catalogue-incomplete": "critical",
  uncovered: "warning",
  "coverage-unknown": "warning",
  "engine-missing": "warning",
  suspended: "info",
};

const rank: Readonly<Record<Condition["severity"], number>> = { critical: 0, warning: 1, info: 2 };

/** A condition with the usual severity of its kind unless another is given. */
export function condition(
  policy: string,
  kind: ConditionKind,
  message: string,
  hint: string,
  severity: Condition["severity"] = severities[kind],
): Condition {
  return { kind, policy, severity, message, hint };
}

/** Worst first; the order inside a severity stays. */
export function worstFirst(conditions: readonly Condition[]): readonly Condition[] {
  return [...conditions].sort((a, b) => rank[a.severity] - rank[b.severity]);
}
