/** How far a policy's points are proved, row by row of its checklist. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { CheckRequirement, Policy } from "../policy/model.ts";
import type { CheckState, PolicyHealth, ProofState } from "../state/health.ts";

/** One state per row; a verdict that reached the level and is young enough proves it, a newer failure undoes that. */
export function checkStates(
  policy: Policy,
  catalogue: Catalogue | undefined,
  nowMs: number,
): readonly CheckState[] {
  const verdicts = (catalogue?.points ?? [])
    .flatMap((p) => p.verdicts)
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  return policy.verification.checks.map((check) => checkState(check, verdicts, nowMs));
}

function checkState(check: CheckRequirement, newestFirst: readonly Verdict[], nowMs: number): CheckState {
  const { name, level, everyMs } = check;
  const told = newestFirst.find((v) => reaches(v, check) || fails(v, check));
  if (told === undefined) return { name, level, everyMs, state: "unproven" };
  if (!reaches(told, check)) return { name, level, everyMs, state: "failed", verdict: told };
  const state = nowMs - Date.parse(told.at) <= everyMs ? "proved" : "overdue";
  return { name, level, everyMs, state, verdict: told };
}

/** What a failed run reached before it failed is reached. */
function reaches(verdict: Verdict, check: CheckRequirement): boolean {
  return verdict.level >= check.level;
}

function fails(verdict: Verdict, check: CheckRequirement): boolean {
  return !verdict.ok && verdict.asked >= check.level && verdict.level < check.level;
}

/** The worst of the rows; without any row or any point nothing is proved. */
export function overallState(checks: readonly CheckState[], pointsCount: number): ProofState {
  if (checks.some((c) => c.state === "failed")) return "failed";
  if (pointsCount === 0 || checks.length === 0) return "unproven";
  for (const state of ["unproven", "overdue"] as const)
    if (checks.some((c) => c.state === state)) return state;
  return "proved";
}

/** The newest point a server has run on, unless its newest verdict failed. */
export function newestProven(points: readonly RecoveryPoint[]): PolicyHealth["proven"] {
  for (const point of [...points].reverse()) {
    const newest = [...point.verdicts].sort((a, b) => (a.at < b.at ? -1 : 1)).at(-1);
    if (newest?.ok !== true) continue;
    const proofs = point.verdicts.filter((v) => v.ok && v.level >= 4);
    const last = proofs.at(-1);
    if (last === undefined) continue;
    const level = proofs.reduce((most, v) => Math.max(most, v.level), 4);
    return { id: point.manifest.id, level, at: last.at };
  }
  return undefined;
}

/** The newest figures restores have measured; each may be of another run. */
export function lastMeasured(points: readonly RecoveryPoint[]): PolicyHealth["measured"] {
  const newestFirst = points.flatMap((p) => p.verdicts).sort((a, b) => (a.at < b.at ? 1 : -1));
  const rpo = newestFirst.find((v) => v.measured.rpoSeconds !== undefined);
  const rto = newestFirst.find((v) => v.measured.rtoSeconds !== undefined);
  const at = [rpo?.at, rto?.at]
    .filter((a) => a !== undefined)
    .sort()
    .at(-1);
  return {
    ...(rpo?.measured.rpoSeconds === undefined ? {} : { rpoSeconds: rpo.measured.rpoSeconds }),
    ...(rto?.measured.rtoSeconds === undefined ? {} : { rtoSeconds: rto.measured.rtoSeconds }),
    ...(at === undefined ? {} : { at }),
  };
}

/** The highest level the verdicts leave standing, and when it was reached last. */
export function pointProof(point: RecoveryPoint): { readonly level: number; readonly at: string | null } {
  let level = -1;
  let at: string | null = null;
  const ordered = [...point.verdicts].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  for (const verdict of ordered) {
    // A newer failure outweighs older evidence for every level above the one it still reached.
    const disproved = !verdict.ok && level > verdict.level;
    if (disproved || (verdict.level >= level && verdict.level >= 0)) {
      level = verdict.level;
      at = level < 0 ? null : verdict.at;
    }
  }
  return { level, at };
}
