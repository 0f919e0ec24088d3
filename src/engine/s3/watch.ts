/** Measures the lag again and again: replication has no run whose failure would be seen. */
import type { EngineContext } from "../engine.ts";
import { measureLag } from "./canary.ts";
import { replicaOf, settingsOf, sourceOf } from "./sides.ts";

const shortestPauseMs = 10_000;

/** @throws objective-missed as soon as a canary is not in the replica in time; source-unreachable */
export async function watch(context: EngineContext): Promise<void> {
  const { maxLagMs } = settingsOf(context.policy);
  const [source, replica] = [await sourceOf(context), await replicaOf(context, "read")];
  while (!context.signal.aborted) {
    try {
      const lagSeconds = await measureLag(context, source, replica, maxLagMs);
      context.log.info("replication", { policy: context.policy.name, lagSeconds });
      await context.clock.wait(Math.max(shortestPauseMs, maxLagMs / 3), context.signal);
    } catch (error) {
      if (context.signal.aborted) return;
      throw error;
    }
  }
}
