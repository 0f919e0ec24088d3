/** What a restore would do, for somebody who wants to read before acting: the choice, its price, the commands. */
import { type Instant, instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import { handScript } from "../report/hand-script.ts";
import { restoreRequest } from "./drill.ts";
import { logReachMs } from "./log-position.ts";
import { chooseRestore, type RestoreOptions } from "./restore.ts";
import { roomFor, shortages } from "./room.ts";
import type { World } from "./world.ts";

export interface RestoreExplanation {
  readonly policy: string;
  readonly point: PointId;
  /** Parents the point stands on. */
  readonly needs: readonly PointId[];
  readonly reason: string;
  readonly passedOver: readonly { readonly id: PointId; readonly cause: string }[];
  /** The state that comes back. */
  readonly stateAt: Instant;
  /** Everything written between it and the instant asked for (now, for the newest state) does not come back. */
  readonly lossSeconds: number;
  readonly diskBytes: number;
  readonly memoryBytes: number;
  /** What this machine lacks of it, in words. */
  readonly shortages: readonly string[];
  /** What the newest drill took; missing when none has restored yet. */
  readonly drillSeconds?: number;
  /** The newest verdict in words. */
  readonly proof: string;
  /** For `sh -e`; brings back the state of the point, without the log after it. */
  readonly script: string;
  readonly notes: readonly string[];
}

/** Changes nothing. @throws as `restore` does before it writes */
export async function explainRestore(
  world: World,
  policy: Policy,
  options: Pick<RestoreOptions, "target" | "point"> & { readonly directory?: string },
): Promise<RestoreExplanation> {
  const choice = await chooseRestore(world, policy, options);
  const { repository, catalogue, point } = choice;
  const { manifest } = point;
  const chain = restoreRequest(policy, repository, catalogue, point, options.target, "").chain.map(
    (member) => member.manifest,
  );
  const endMs = await endOf(world, policy, choice, options);
  const wantedMs = options.target.kind === "time" ? Date.parse(options.target.at) : world.clock.nowMs();
  const needs = roomFor(chain);
  const recipe = (await world.engine(policy)).byHand(chain);
  const store = world.set.stores.find((s) => s.name === policy.store.name);
  const drilled = catalogue.points
    .flatMap((p) => p.verdicts)
    .filter((v) => v.measured.rtoSeconds !== undefined)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .at(-1)?.measured.rtoSeconds;
  return {
    policy: policy.name,
    point: manifest.id,
    needs: manifest.parents,
    reason: choice.reason,
    passedOver: choice.passedOver,
    stateAt: instant(endMs),
    lossSeconds: Math.max(0, Math.round((wantedMs - endMs) / 1000)),
    ...needs,
    shortages: await shortages(world.machine, needs, options.directory ?? world.machine.workFolder, true),
    ...(drilled === undefined ? {} : { drillSeconds: drilled }),
    proof: proofOf(point.verdicts.at(-1)),
    script: store === undefined ? "" : handScript({ recipe, chain, store, prefix: policy.store.prefix }),
    notes: recipe.notes,
  };
}

/** One sentence on what has judged a point. */
export function proofOf(
  verdict:
    | { readonly ok: boolean; readonly level: number; readonly asked: number; readonly at: string }
    | undefined,
): string {
  if (verdict === undefined) return "Nothing has proved it yet.";
  if (verdict.ok) return `Proved to level ${verdict.level} on ${verdict.at}.`;
  return `Its verification of level ${verdict.asked} failed on ${verdict.at}.`;
}

async function endOf(
  world: World,
  policy: Policy,
  choice: Awaited<ReturnType<typeof chooseRestore>>,
  { target }: Pick<RestoreOptions, "target">,
): Promise<number> {
  const consistentMs = Date.parse(choice.point.manifest.consistentAt);
  const hasLog = policy.log !== undefined && choice.point.manifest.log !== undefined;
  if (!hasLog || target.kind === "point") return consistentMs;
  if (target.kind === "time") return Date.parse(target.at);
  const reachMs = await logReachMs(world, policy, choice.repository, choice.catalogue);
  return Math.max(consistentMs, reachMs ?? consistentMs);
}
