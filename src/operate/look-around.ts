/** Looks at everything the policies' sources hold. Slow beside a probe, so it is done once in a while. Changes nothing. */
import { instant } from "../catalogue/instant.ts";
import { type Coverage, judgeCoverage } from "../health/coverage.ts";
import type { Policy } from "../policy/model.ts";
import { redact } from "../secret.ts";
import type { Looks, PolicyLook } from "../state/coverage.ts";
import type { World } from "./world.ts";

const usualDeadlineMs = 60_000;

export interface LookOptions {
  /** Ends the whole look. */
  readonly signal?: AbortSignal;
  /** For one source, milliseconds; a minute when not given. */
  readonly deadlineMs?: number;
}

/** Never throws for a source that cannot be looked at: that is its look. @throws what aborted the signal */
export async function lookAround(world: World, options: LookOptions = {}): Promise<Looks> {
  const at = instant(world.clock.nowMs());
  const policies = world.set.policies.filter((p) => world.hasEngine(p));
  const looks = await Promise.all(policies.map((policy) => lookAt(world, policy, options)));
  return { at, revision: world.revision, looks: looks.flatMap((look) => look ?? []) };
}

/** Undefined where the engine can list nothing. */
async function lookAt(world: World, policy: Policy, options: LookOptions): Promise<PolicyLook | undefined> {
  const { inventory } = await world.engine(policy);
  if (inventory === undefined) return undefined;
  const deadlineMs = options.deadlineMs ?? usualDeadlineMs;
  const outer = AbortSignal.any([world.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const whole = AbortSignal.any([outer, AbortSignal.timeout(deadlineMs)]);
  const facts = { policy: policy.name, component: policy.component };
  try {
    const look = world.withContext(policy, { signals: [whole] }, (context) => inventory.look(context));
    // Not every driver listens to a signal.
    return { ...facts, ...(await Promise.race([look, aborted(whole)])) };
  } catch (error) {
    outer.throwIfAborted();
    const cause = whole.aborted
      ? `it has not answered in ${Math.round(deadlineMs / 1000)} s`
      : error instanceof Error
        ? error.message
        : String(error);
    return { ...facts, cause: redact(cause) };
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}

/**
 * What the looks come to under the policies in force now. Pure but for the clock. A policy of a component that has
 * come with this revision counts from the first observation on.
 */
export function coverageOf(world: World, looks: Looks): Coverage {
  return judgeCoverage({
    policies: world.set.policies.filter((p) => world.hasEngine(p)),
    stores: world.set.stores,
    looks,
    selectionOf: (policy) => world.loadedEngine(policy)?.inventory,
    nowMs: world.clock.nowMs(),
  });
}
