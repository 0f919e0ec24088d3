/** Retention made true: tombstones now, bytes after the grace. Every decision is made by the pure plan. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import { type PrunePlan, prunePlan } from "../retention/prune.ts";
import type { World } from "./world.ts";

/** Left-overs younger than this may belong to a capture under way on another machine. */
const leftOverAgeMs = 24 * 3_600_000;

export interface PruneOutcome {
  readonly applied: boolean;
  readonly plan: PrunePlan;
  readonly tombstoned: readonly PointId[];
  readonly removed: readonly { readonly point: PointId; readonly removedBytes: number }[];
  readonly removedLog: number;
  /** Objects no manifest names and unfinished uploads, older than a day. */
  readonly leftOvers: readonly { readonly key: string; readonly sizeBytes: number }[];
}

/** Computes the plan, and with `apply` carries it out. @throws locked, guard-refused, store-* */
export async function prune(world: World, policy: Policy, apply: boolean): Promise<PruneOutcome> {
  const repository = await world.repository(policy);
  if (!apply) return { ...(await look(world, policy, repository)), applied: false };
  const lease = await repository.lock("run", world.holder);
  try {
    const seen = await look(world, policy, repository);
    return { ...(await carryOut(world, policy, repository, seen, lease.signal)), applied: true };
  } finally {
    await lease.release();
  }
}

type Seen = Omit<PruneOutcome, "applied"> & { readonly catalogue: Catalogue };

async function look(world: World, policy: Policy, repository: Repository): Promise<Seen> {
  const [catalogue, store] = await Promise.all([repository.catalogue(), repository.identity()]);
  const nowMs = world.clock.nowMs();
  const plan = prunePlan({ policy, catalogue, store, nowMs });
  const safe = catalogue.complete && store.identity === "ours";
  const leftOvers = safe ? await repository.sweep(nowMs, leftOverAgeMs, false) : [];
  return { plan, catalogue, tombstoned: [], removed: [], removedLog: 0, leftOvers };
}

async function carryOut(
  world: World,
  policy: Policy,
  repository: Repository,
  seen: Seen,
  lost: AbortSignal,
): Promise<Seen> {
  const { plan, catalogue } = seen;
  const tombstoned: PointId[] = [];
  for (const id of plan.revive) {
    lost.throwIfAborted();
    await repository.removeTombstone(id);
  }
  for (const { id, reason, notBefore } of plan.tombstones) {
    lost.throwIfAborted();
    const point = catalogue.points.find((p) => p.manifest.id === id);
    if (point === undefined) continue;
    await repository.addTombstone({
      apiVersion: "holdfast.dev/v1",
      kind: "Tombstone",
      policy: policy.name,
      point: id,
      at: instant(world.clock.nowMs()),
      notBefore,
      reason,
      manifestSha256: point.manifestSha256,
    });
    tombstoned.push(id);
    await remember(world, policy, point, reason, 0);
  }
  const removed: { point: PointId; removedBytes: number }[] = [];
  for (const { id, reason } of plan.deletions) {
    lost.throwIfAborted();
    world.step(`removing ${id}`);
    const { removedBytes } = await repository.removePoint(id, world.clock.nowMs());
    removed.push({ point: id, removedBytes });
    const point = catalogue.points.find((p) => p.manifest.id === id);
    if (point !== undefined) await remember(world, policy, point, reason, removedBytes);
  }
  lost.throwIfAborted();
  if (plan.logKeys.length > 0) await repository.removeLog(plan.logKeys);
  if (seen.leftOvers.length > 0) await repository.sweep(world.clock.nowMs(), leftOverAgeMs, true);
  return { ...seen, tombstoned, removed, removedLog: plan.logKeys.length };
}

/** For the report alone: the store keeps no trace of what is gone. */
async function remember(
  world: World,
  policy: Policy,
  { manifest }: RecoveryPoint,
  reason: string,
  removedBytes: number,
): Promise<void> {
  await world.remember("pruned", {
    policy: policy.name,
    point: manifest.id,
    reason,
    at: instant(world.clock.nowMs()),
    removedBytes,
    consistentAt: manifest.consistentAt,
    finishedAt: manifest.finishedAt,
  });
}
