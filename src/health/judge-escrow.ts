/** Conditions about keys that are kept for the day after a disaster and may never have been tried. */
import type { KeyRecipient, Policy } from "../policy/model.ts";
import type { Condition } from "../state/health.ts";
import { formatDuration } from "../time/duration.ts";
import { condition } from "./conditions.ts";
import type { Judged } from "./judge.ts";

/** The escrow keys among the recipients of a policy. */
export function escrowKeys(policy: Policy, keys: readonly KeyRecipient[]): readonly KeyRecipient[] {
  return keys.filter((k) => k.role === "escrow" && policy.encryption.recipients.includes(k.name));
}

/**
 * One condition per escrow key that has never, or not for as long as the checklist allows, opened a point of
 * this policy. Silent while there is nothing such a key could open.
 */
export function judgeEscrow({ policy, keys, catalogue, nowMs }: Judged): readonly Condition[] {
  if (catalogue === undefined || policy.suspended) return [];
  const isSealed = catalogue.points.some((p) => p.manifest.artifacts.some((a) => a.carried !== true));
  if (!isSealed) return [];
  const { escrowEveryMs } = policy.verification;
  const hint = `holdfast verify ${policy.name} --level 3 --identity FILE, with the file of that key and no other`;
  return escrowKeys(policy, keys).flatMap(({ name, recipient }) => {
    // A key that was replaced under its name is another recipient, and untried.
    const proof = catalogue.keyProofs?.find((p) => p.recipient === recipient);
    if (proof === undefined) {
      const message = `escrow key '${name}' has never opened a recovery point: nobody knows whether it can`;
      return [condition(policy.name, "escrow-unproven", message, hint)];
    }
    const ageMs = nowMs - Date.parse(proof.at);
    if (ageMs <= escrowEveryMs) return [];
    const message = `escrow key '${name}' opened point ${proof.point} ${formatDuration(ageMs)} ago and is asked for every ${formatDuration(escrowEveryMs)}`;
    return [condition(policy.name, "escrow-unproven", message, hint)];
  });
}
