/** Holds keep a point whatever the keep table says. */
import { type Instant, instant } from "../catalogue/instant.ts";
import type { Hold, PointId } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { World } from "./world.ts";

/** After it the point is held, and a tombstone it had is gone. @throws point-unknown */
export async function hold(
  world: World,
  policy: Policy,
  id: PointId,
  facts: { readonly by: string; readonly reason: string; readonly until: Instant | null },
): Promise<Hold> {
  const repository = await world.repository(policy);
  const point = (await repository.catalogue()).points.find((p) => p.manifest.id === id);
  if (point === undefined) {
    throw new HoldfastError("point-unknown", `policy '${policy.name}' has no point ${id}`, {
      hint: `holdfast list ${policy.name} shows them`,
    });
  }
  const value: Hold = {
    apiVersion: "holdfast.dev/v1",
    kind: "Hold",
    policy: policy.name,
    point: id,
    at: instant(world.clock.nowMs()),
    ...facts,
  };
  await repository.addHold(value);
  if (point.tombstone !== undefined) await repository.removeTombstone(id);
  return value;
}

/** After it nothing but the keep table and the floors protect the point. */
export async function unhold(world: World, policy: Policy, id: PointId): Promise<void> {
  const repository = await world.repository(policy);
  await repository.removeHold(id);
}
