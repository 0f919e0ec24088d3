/** Asks every store what is there, for looking back at an instant; a store that is away hides only its own policies. */
import { HoldfastError } from "../errors.ts";
import type { PolicyFacts } from "../health/time-travel.ts";
import type { Policy } from "../policy/model.ts";
import { logReachMs, segmentNames } from "./log-position.ts";
import type { World } from "./world.ts";

export interface FactsRead {
  /** One for each policy with an engine. */
  readonly facts: readonly PolicyFacts[];
  /** Of the gravest failure to read; 0 when all could be read. */
  readonly exitStatus: number;
}

/** Changes nothing. */
export async function readFacts(world: World): Promise<FactsRead> {
  const facts: PolicyFacts[] = [];
  let exitStatus = 0;
  for (const policy of world.set.policies) {
    if (!world.hasEngine(policy)) continue;
    try {
      facts.push(await factsOf(world, policy));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === "interrupted") throw error;
      exitStatus = Math.max(exitStatus, error.exitStatus);
      facts.push({ policy, failure: `${error.message}; ${error.hint}` });
    }
  }
  return { facts, exitStatus };
}

/** @throws what the store throws when it cannot be asked */
export async function factsOf(world: World, policy: Policy): Promise<PolicyFacts> {
  world.step(`reading the catalogue of ${policy.name}`);
  const repository = await world.repository(policy);
  const catalogue = await repository.catalogue();
  const reachMs = await logReachMs(world, policy, repository, catalogue);
  const names = await segmentNames(world, policy, catalogue);
  return { policy, catalogue, ...names, ...(reachMs === undefined ? {} : { logReachMs: reachMs }) };
}
