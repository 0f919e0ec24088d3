/** Gathers what a report is made of, renders it, and hands the files to whoever commits them. */
import { instant } from "../catalogue/instant.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import { componentFacts } from "../component.ts";
import type { PolicyReport, PrunedPoint, ReportInput } from "../report/input.ts";
import { renderReport, reportName } from "../report/markdown.ts";
import { type RestoreCardEntry, type RestoreCardInput, renderRestoreCard } from "../report/restore-card.ts";
import { redact } from "../secret.ts";
import type { Looks } from "../state/coverage.ts";
import type { Run } from "../state/job.ts";
import { episodesByPolicy } from "./condition-journal.ts";
import { proofOf } from "./explain-restore.ts";
import { coverageOf } from "./look-around.ts";
import type { Observation } from "./observe.ts";
import { linkReport, type ReadReportFile } from "./report-chain.ts";
import { inRestoreOrder } from "./stack.ts";
import { statusOf } from "./status.ts";
import type { World } from "./world.ts";

const weekMs = 7 * 86_400_000;

export interface ReportFacts {
  /** Names of reports that are there, `2026/W46`. */
  readonly existing: readonly string[];
  readonly previousCommit?: string;
  /** Reads what lies in the reports folder, for the hash of the report before. */
  readonly read: ReadReportFile;
  /** Lines the report shall carry on top, such as why it was asked for. */
  readonly remarks?: readonly string[];
  /** The last look at what the sources hold. */
  readonly looks?: Looks;
  /** Text of the program that decrypts without Holdfast; lies beside the card that names it. */
  readonly decryptor: string;
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
  const name = reportName(input);
  files.set(`${name}.json`, await linkReport(name, files, facts.existing, facts.read));
  files.set("RESTORE.md", redact(renderRestoreCard(await restoreCard(world, seen, input))));
  files.set("restore-without-holdfast.py", facts.decryptor);
  const ok = input.policies.every(
    (p) => p.health.proof === "proved" && p.health.conditions.every((c) => c.severity !== "critical"),
  );
  return { name, files, ok };
}

/** The newest proven point of each policy, or the newest that can be restored where nothing is proved. */
async function restoreCard(world: World, seen: Observation, input: ReportInput): Promise<RestoreCardInput> {
  const entries: RestoreCardEntry[] = [];
  const missing: { policy: string; cause: string }[] = [];
  for (const { policy } of inRestoreOrder(world.set.policies.map((policy) => ({ policy })))) {
    const catalogue = seen.catalogues.get(policy.name);
    const store = world.set.stores.find((s) => s.name === policy.store.name);
    if (!world.hasEngine(policy) || store === undefined) {
      missing.push({ policy: policy.name, cause: "its component has no engine yet: nothing is backed up" });
      continue;
    }
    const points = (catalogue?.points ?? []).filter((p) => p.tombstone === undefined);
    const proven = input.policies.find((p) => p.policy.name === policy.name)?.health.proven?.id;
    const point = points.find((p) => p.manifest.id === proven) ?? points.at(-1);
    if (catalogue === undefined || point === undefined) {
      missing.push({
        policy: policy.name,
        cause: catalogue === undefined ? "its store could not be read" : "it has no recovery point",
      });
      continue;
    }
    const parents = point.manifest.parents.map((id) => catalogue.points.find((p) => p.manifest.id === id));
    const chain = [point, ...parents].flatMap((p) => (p === undefined ? [] : [p.manifest]));
    if (chain.length <= point.manifest.parents.length) {
      missing.push({ policy: policy.name, cause: `a parent of point ${point.manifest.id} is not there` });
      continue;
    }
    entries.push({
      policy: policy.name,
      title: componentFacts(policy.component).title,
      proof: proofOf(point.verdicts.at(-1)),
      recipe: (await world.engine(policy)).byHand(chain),
      chain,
      store,
      prefix: policy.store.prefix,
    });
  }
  return { cluster: world.cluster, at: input.toAt, entries, missing };
}

async function gather(world: World, seen: Observation, facts: ReportFacts): Promise<ReportInput> {
  const nowMs = world.clock.nowMs();
  const fromAt = instant(nowMs - weekMs);
  const { healths, notBuilt } = statusOf(world, seen, facts.looks);
  const pruned = await world.recall<PrunedPoint & { readonly policy: string }>("pruned");
  const episodes = await episodesByPolicy(world, fromAt);
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
      episodes: episodes.get(policy.name) ?? [],
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
    waivers: world.set.waivers.map(({ rule, document, reason, owner, until }) => ({
      rule,
      document,
      reason,
      owner,
      until,
    })),
    remarks: facts.remarks ?? [],
    ...(facts.looks === undefined ? {} : { coverage: coverageOf(world, facts.looks) }),
    existing: facts.existing,
    ...(facts.previousCommit === undefined ? {} : { previousCommit: facts.previousCommit }),
  };
}
