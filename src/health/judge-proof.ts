/** Conditions about proof: failed, overdue, or never given. */
import type { Condition, ProofState } from "../state/health.ts";
import { formatDuration } from "../time/duration.ts";
import { condition } from "./conditions.ts";
import type { Judged } from "./judge.ts";

/** At most one condition per row of the checklist that is not proved; `unproven` is told once. */
export function judgeProof({ policy, checks, nowMs }: Judged, overall: ProofState): readonly Condition[] {
  const found: Condition[] = [];
  for (const { name, level, everyMs, state, verdict } of checks) {
    const next = `holdfast verify ${policy.name} --level ${level}`;
    if (state === "failed" && verdict !== undefined) {
      const failed = verdict.checks.find((c) => !c.ok);
      const why = failed === undefined ? "" : `: ${failed.name}: ${failed.detail}`;
      const message = `'${name}' (level ${level}) failed on point ${verdict.point} at ${verdict.at}${why}`;
      found.push(condition(policy.name, "verification-failed", message, next));
    }
    if (state === "overdue" && verdict !== undefined) {
      const age = formatDuration(nowMs - Date.parse(verdict.at));
      const message = `'${name}' (level ${level}) was proved ${age} ago and is asked for every ${formatDuration(everyMs)}`;
      found.push(condition(policy.name, "verification-overdue", message, next));
    }
  }
  const never = checks.filter((c) => c.state === "unproven");
  if (never.length > 0 || overall === "unproven") {
    const rows = never.map((c) => `'${c.name}' (level ${c.level})`).join(", ");
    const message = rows === "" ? "no recovery point is proved" : `never proved: ${rows}`;
    const level = never.reduce((most, c) => Math.max(most, Math.min(c.level, 5)), 0);
    const hint = `holdfast verify ${policy.name} --level ${level}`;
    found.push(condition(policy.name, "unproven", message, hint));
  }
  return found;
}
