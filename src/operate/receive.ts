/** The resident log receiver of one policy, with the canary that makes its recovery point measurable. */

import type { LogProgress } from "../engine/engine.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { World } from "./world.ts";
import { writeCanaries } from "./write-canaries.ts";

/**
 * Runs until the world's signal aborts.
 * @throws usage when the policy keeps no log; locked when another receiver of this policy is alive
 */
export async function receive(
  world: World,
  policy: Policy,
  onFlow: (flow: LogProgress) => void,
): Promise<void> {
  const engine = await world.engine(policy);
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
