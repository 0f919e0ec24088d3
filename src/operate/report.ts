/** Gathers what a report is made of, renders it, and hands the files to whoever commits them. */
import { instant } from "../catalogue/instant.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { PolicyReport, PrunedPoint, ReportInput } from "../report/input.ts";
import { renderReport, reportName } from "../report/markdown.ts";
import { redact } from "../secret.ts";
import type { Run } from "../state/job.ts";
import type { Observation } from "./observe.ts";
import { statusOf } from "./status.ts";
import type { World } from "./world.ts";

const weekMs = 7 * 86_400_000;

export interface ReportFacts {
  /** Names of reports that are there, `2026/W46`. */
  readonly existing: readonly string[];
  readonly previousCommit?: string;
}

export interface WrittenReport {
  /** `2026/W47` */
  readonly name: string;
  /** Path below the reports folder to text. */
  readonly files: ReadonlyMap<string, string>;
  /** Nothing critical holds and everything is proved. */
  readonly ok: boolean;
}

/** Renders the report of the last seven days from one observation. Changes nothing. */
export async function writeReport(
  world: World,
  seen: Observation,
  facts: ReportFacts,
): Promise<WrittenReport> {
  const input = await gather(world, seen, facts);
  const files = new Map<string, string>();
  for (const [path, text] of renderReport(input)) files.set(path, redact(text));
  const ok = input.policies.every(
    (p) => p.health.proof === "proved" && p.health.conditions.every((c) => c.severity !== "critical"),
  );
  return { name: reportName(input), files, ok };
}

async function gather(world: World, seen: Observation, facts: ReportFacts): Promise<ReportInput> {
  const nowMs = world.clock.nowMs();
  const fromAt = instant(nowMs - weekMs);
  const { healths, notBuilt } = statusOf(world, seen);
  const pruned = await world.recall<PrunedPoint & { readonly policy: string }>("pruned");
  const policies: PolicyReport[] = [];
  for (const health of healths) {
    const policy = world.set.policies.find((p) => p.name === health.policy);
    if (policy === undefined) continue;
    const catalogue = seen.catalogues.get(policy.name);
    const runs: Run[] = seen.actual.jobs
      .filter((j) => j.job.policy === policy.name)
      .flatMap((j) => j.runs)
      .filter((r) => r.startedAt >= fromAt);
    const drills: Verdict[] = (catalogue?.points ?? [])
      .flatMap((p) => p.verdicts)
      .filter((v) => v.asked >= 4 && v.at >= fromAt);
    policies.push({
      policy,
      health,
      ...(catalogue === undefined ? {} : { catalogue }),
      runs,
      prune: pruned.filter((p) => p.policy === policy.name && p.at >= fromAt),
      drills,
    });
  }
  return {
    cluster: world.cluster,
    revision: world.revision,
    seed: world.revision,
    fromAt,
    toAt: instant(nowMs),
    nowMs,
    platformName: seen.actual.platform,
    policies,
    notBuilt: notBuilt.map((p) => ({ policy: p.name, component: p.component })),
    existing: facts.existing,
    ...(facts.previousCommit === undefined ? {} : { previousCommit: facts.previousCommit }),
  };
}
