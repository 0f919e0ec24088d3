/** Plans that were saved: JSON from a file, trusted only as far as its shape. */
import { readFile } from "node:fs/promises";
import { HoldfastError } from "../errors.ts";
import type { Plan } from "../state/plan.ts";

/** @throws usage when the file is no plan */
export async function readPlanFile(path: string): Promise<Plan> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new HoldfastError("usage", `'${path}' cannot be read as a plan: ${(cause as Error).message}`, {
      hint: "make one with holdfast plan --format json > plan.json",
      cause,
    });
  }
  const plan = value as Partial<Plan> | null;
  const isPlan =
    plan?.apiVersion === "holdfast.dev/v1" &&
    plan.kind === "Plan" &&
    typeof plan.fingerprint === "string" &&
    Array.isArray(plan.actions) &&
    Array.isArray(plan.refusals);
  if (!isPlan)
    throw new HoldfastError("usage", `'${path}' is no plan`, {
      hint: "make one with holdfast plan --format json",
    });
  return plan as Plan;
}
