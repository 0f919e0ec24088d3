/** Which rows of the alert tables fire. */
import type { AlertRule } from "../policy/model.ts";
import type { Condition } from "../state/health.ts";

export interface FiredAlert {
  readonly alert: AlertRule;
  readonly condition: Condition;
}

/** One entry per alert and condition it names, in the order of the alerts; the alert's own severity counts. */
export function firedAlerts(
  conditions: readonly Condition[],
  alerts: readonly AlertRule[],
): readonly FiredAlert[] {
  return alerts.flatMap((alert) =>
    conditions.filter((c) => c.kind === alert.when).map((condition) => ({ alert, condition })),
  );
}
