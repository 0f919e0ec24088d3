/** The instant of a level 5 drill: chosen by the commit, so that nobody can pick an easy one. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import { planRestore, reachableRanges } from "../recovery/chain.ts";
import type { Repository } from "../repository/repository.ts";
import { logReachMs, segmentNames } from "./log-position.ts";
import type { World } from "./world.ts";

/**
 * An instant that hash(seed, policy, newest point) picks evenly from everything reachable inside the PITR
 * window, and the point a restore to it starts from. Undefined where only the points themselves can be
 * restored. @throws point-unknown when nothing is reachable
 */
export async function chooseInstant(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  seed: string,
): Promise<{ readonly atMs: number; readonly point: PointId } | undefined> {
  if (policy.log === undefined) return undefined;
  const reachMs = await logReachMs(world, policy, repository, catalogue);
  const input = reachMs === undefined ? { catalogue } : { catalogue, logReachMs: reachMs };
  const windowFromMs = world.clock.nowMs() - policy.objectives.pitrWindowMs;
  const ranges = reachableRanges(input)
    .map((r) => ({ fromMs: Math.max(Date.parse(r.fromAt), windowFromMs), toMs: Date.parse(r.toAt) }))
    .filter((r) => r.toMs > r.fromMs);
  const totalMs = ranges.reduce((sum, r) => sum + (r.toMs - r.fromMs), 0);
  if (totalMs === 0) {
    throw new HoldfastError("point-unknown", `no instant of '${policy.name}' can be restored yet`, {
      hint: `holdfast backup ${policy.name}, and keep holdfast wal ${policy.name} running`,
    });
  }
  const hash = world.sha256(`${seed}\n${policy.name}\n${catalogue.points.at(-1)?.manifest.id ?? ""}`);
  let offsetMs = Math.floor((Number.parseInt(hash.slice(0, 12), 16) / 2 ** 48) * totalMs);
  for (const range of ranges) {
    const lengthMs = range.toMs - range.fromMs;
    if (offsetMs < lengthMs) {
      const atMs = range.fromMs + offsetMs;
      const plan = planRestore({
        ...input,
        ...(await segmentNames(world, policy, catalogue)),
        target: { kind: "time", at: instant(atMs) },
      });
      return { atMs, point: plan.point.manifest.id };
    }
    offsetMs -= lengthMs;
  }
  return undefined;
}
