/** Canaries at the source, every so often, so that a restore can say how far back it is. */
import type { Policy } from "../policy/model.ts";
import type { World } from "./world.ts";

/** Until the signal aborts. A canary that cannot be written is the source's trouble and shows in its probe. */
export async function writeCanaries(world: World, policy: Policy, signal: AbortSignal): Promise<void> {
  const engine = await world.engine(policy);
  let failing = false;
  while (!signal.aborted) {
    try {
      await world.withContext(policy, { signals: [signal] }, (context) => engine.canary(context));
      failing = false;
    } catch (error) {
      if (!failing && !signal.aborted) {
        world.log.warn("the canary could not be written; the recovery point is not measured meanwhile", {
          policy: policy.name,
          cause: error instanceof Error ? error.message : String(error),
        });
      }
      failing = true;
    }
    await world.clock.wait(policy.canaryEveryMs, signal).catch(() => undefined);
  }
}
