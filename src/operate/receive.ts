/** The resident log receiver of one policy, with the canary that makes its recovery point measurable. */

import type { LogProgress } from "../engine/engine.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { World } from "./world.ts";

/**
 * Runs until the world's signal aborts.
 * @throws usage when the policy keeps no log; locked when another receiver of this policy is alive
 */
export async function receive(
  world: World,
  policy: Policy,
  onFlow: (flow: LogProgress) => void,
): Promise<void> {
  const engine = world.engine(policy);
  if (policy.log === undefined || engine.receive === undefined) {
    throw new HoldfastError("usage", `policy '${policy.name}' keeps no change log`, {
      hint: "only policies with a log have a receiver; see holdfast status",
    });
  }
  const repository = await world.repository(policy);
  const lease = await repository.lock("log", world.holder);
  try {
    await repository.mark();
    const receiveLog = engine.receive.bind(engine);
    await world.withContext(
      policy,
      { keep: `log-${policy.name}`, signals: [lease.signal] },
      async (context) => {
        await Promise.all([
          receiveLog(context, repository.log, onFlow),
          policy.canaryEveryMs > 0 ? writeCanaries(world, policy, context.signal) : undefined,
        ]);
      },
    );
    if (lease.signal.aborted && !world.signal.aborted) {
      throw new HoldfastError("lock-lost", `the receiver of '${policy.name}' lost its lock and stopped`);
    }
  } finally {
    await lease.release();
  }
}

/** A canary that cannot be written is the source's trouble and shows in its probe; the log must flow on. */
async function writeCanaries(world: World, policy: Policy, signal: AbortSignal): Promise<void> {
  const engine = world.engine(policy);
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
