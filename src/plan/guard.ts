/** A plan is good only for the state it was made from. */
import { HoldfastError } from "../errors.ts";
import type { Plan } from "../state/plan.ts";

/** @throws plan-stale when what is observed now is not what the plan was made from */
export function refuseStale(plan: Plan, fingerprint: string): void {
  if (plan.fingerprint === fingerprint) return;
  throw new HoldfastError(
    "plan-stale",
    `what is observed has changed since the plan was made at ${plan.madeAt}: fingerprint '${fingerprint}', not '${plan.fingerprint}'`,
  );
}
