/** The values behind `--format json`. Their shapes are a promise; `schema/output/` says the same for programs. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Check, Verdict } from "../catalogue/manifest.ts";
import { pointProof } from "../health/proof.ts";
import type { Simulation } from "../retention/simulate.ts";
import type { PolicyHealth, ProofState } from "../state/health.ts";
import type { Plan } from "../state/plan.ts";

export type PointStatus = "available" | "held" | "locked" | "expiring" | "unreadable";

export interface ListedPoint {
  readonly id: string;
  readonly policy: string;
  readonly component: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly sizeBytes: number;
  readonly status: PointStatus;
  /** Highest level reached, 0 to 6; -1 when none is. */
  readonly proof: number;
  /** When that level was reached; null when none is. */
  readonly provedAt: string | null;
}

/** What is to be said of the point besides its proof; the first that holds. */
export function pointStatus(point: RecoveryPoint, nowMs: number): PointStatus {
  if (point.hold !== undefined && (point.hold.until === null || Date.parse(point.hold.until) > nowMs))
    return "held";
  if (point.tombstone !== undefined) return "expiring";
  if (point.lockedUntil !== undefined && Date.parse(point.lockedUntil) > nowMs) return "locked";
  return "available";
}

/** Points of all catalogues, newest first; those of the same instant by policy name. */
export function listPoints(catalogues: readonly Catalogue[], nowMs: number): readonly ListedPoint[] {
  return catalogues
    .flatMap((catalogue) => catalogue.points)
    .map((point) => ({ point, proof: pointProof(point) }))
    .map(({ point, proof }) => ({
      id: point.manifest.id,
      policy: point.manifest.policy,
      component: point.manifest.component,
      startedAt: point.manifest.startedAt,
      finishedAt: point.manifest.finishedAt,
      sizeBytes: point.manifest.sizeBytes,
      status: pointStatus(point, nowMs),
      proof: proof.level,
      provedAt: proof.at,
    }))
    .sort((a, b) => order(b.startedAt, a.startedAt) || order(a.policy, b.policy) || order(a.id, b.id));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function listJson(points: readonly ListedPoint[]): { readonly points: readonly ListedPoint[] } {
  return { points };
}

/** For `verify` and `restore`; `facts` are further fields of the verb and cannot hide `ok` or `checks`. */
export function checksJson(
  ok: boolean,
  checks: readonly Check[],
  facts: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> & { readonly ok: boolean; readonly checks: readonly Check[] } {
  return { ...facts, ok, checks: checks.map(({ name, ok, detail }) => ({ name, ok, detail })) };
}

/** Checks of several policies in one list, each under the policy's name. */
export function checksOfAll(
  policies: readonly { readonly policy: string; readonly checks: readonly Check[] }[],
): readonly Check[] {
  return policies.flatMap(({ policy, checks }) =>
    checks.map((c) => ({ ...c, name: `${policy}: ${c.name}` })),
  );
}

/** For `verify`: good only when the level that was asked for is reached. */
export function verdictJson(verdict: Verdict): ReturnType<typeof checksJson> {
  const { policy, point, level, asked, at, durationMs, measured } = verdict;
  const facts = { policy, point, level, asked, at, durationMs, measured };
  return checksJson(verdict.ok && level >= asked, verdict.checks, facts);
}

export interface DemoComponent {
  readonly policy: string;
  readonly rpoSeconds: number | null;
  readonly rtoSeconds: number | null;
  /** Level reached, -1 for none. */
  readonly proof: number;
}

export interface DemoResult {
  readonly ok: boolean;
  readonly components: readonly DemoComponent[];
  /** What this machine lacks the server of, and the line that brings it. */
  readonly notShown: readonly { readonly component: string; readonly line: string }[];
  /** Path of the markdown report in the policy repository, whose clone is `checkout` in the working folder. */
  readonly report: string;
  readonly workdir: string;
}

export function demoJson(result: DemoResult): DemoResult {
  return {
    ok: result.ok,
    components: result.components.map(({ policy, rpoSeconds, rtoSeconds, proof }) => ({
      policy,
      rpoSeconds,
      rtoSeconds,
      proof,
    })),
    notShown: result.notShown.map(({ component, line }) => ({ component, line })),
    report: result.report,
    workdir: result.workdir,
  };
}

export function planJson(plan: Plan): Plan {
  return plan;
}

/** The state of all policies in one word, the worst of them; no policy at all is unproven and never good. */
export function overallProof(healths: readonly PolicyHealth[]): ProofState {
  const worst: readonly ProofState[] = ["failed", "unproven", "overdue"];
  return (
    worst.find((s) => healths.some((h) => h.proof === s)) ?? (healths.length === 0 ? "unproven" : "proved")
  );
}

/** Every policy is proved and nothing critical holds. */
export function allWell(healths: readonly PolicyHealth[]): boolean {
  return (
    overallProof(healths) === "proved" &&
    healths.every((h) => h.conditions.every((c) => c.severity !== "critical"))
  );
}

export interface StatusJson {
  readonly ok: boolean;
  readonly at: string;
  readonly policies: readonly PolicyHealth[];
}

export function statusJson(healths: readonly PolicyHealth[], nowMs: number): StatusJson {
  return { ok: allWell(healths), at: new Date(nowMs).toISOString(), policies: healths };
}

export interface ReportResult {
  /** Paths below the reports folder, sorted. */
  readonly files: readonly string[];
  readonly report: string;
  readonly ok: boolean;
  /** Commit that carries the report; null when it was only written. */
  readonly commit: string | null;
}

export function reportJson(result: ReportResult): ReportResult {
  return { ok: result.ok, report: result.report, files: [...result.files].sort(), commit: result.commit };
}

export function simulateJson(simulations: readonly Simulation[]): {
  readonly simulations: readonly Simulation[];
} {
  return { simulations };
}
