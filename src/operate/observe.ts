/** Reads what is: the platform's jobs, each source, each marker, each catalogue. Changes nothing. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import { HoldfastError } from "../errors.ts";
import { canonicalActual } from "../plan/fingerprint.ts";
import type { Platform } from "../platform/platform.ts";
import type { Policy } from "../policy/model.ts";
import type { Actual, ReplacedJob, SourceFacts, StoreFacts } from "../state/job.ts";
import { logReachMs } from "./log-position.ts";
import type { World } from "./world.ts";

export interface Observation {
  readonly actual: Actual;
  /** By policy name; a policy whose store cannot be read has none. */
  readonly catalogues: ReadonlyMap<string, Catalogue>;
  /** By policy name, milliseconds. */
  readonly logReachMs: ReadonlyMap<string, number>;
  /** SHA-256 over the canonical form of what was seen. */
  readonly fingerprint: string;
}

interface PolicyObservation {
  readonly store?: StoreFacts;
  readonly source?: SourceFacts;
  readonly catalogue?: Catalogue;
  readonly reachMs?: number;
}

/** Never throws for something that cannot be reached: that is a fact like any other. */
export async function observe(world: World, platform: Platform | undefined): Promise<Observation> {
  const policies = world.set.policies.filter((p) => world.hasEngine(p));
  const seen = await Promise.all(policies.map((p) => observePolicy(world, p)));
  const held = await platform?.observe();
  const replaced = await observeReplaced(world, platform);
  const actual: Actual = {
    platform: platform?.name ?? "none",
    revision: held?.revision ?? "",
    jobs: held?.jobs ?? [],
    stores: seen.flatMap((s) => s.store ?? []),
    sources: seen.flatMap((s) => s.source ?? []),
    ...(replaced.length === 0 ? {} : { replaced }),
    observedAt: instant(world.clock.nowMs()),
  };
  const catalogues = new Map<string, Catalogue>();
  const reaches = new Map<string, number>();
  for (const [index, policy] of policies.entries()) {
    const { catalogue, reachMs } = seen[index] ?? {};
    if (catalogue !== undefined) catalogues.set(policy.name, catalogue);
    if (reachMs !== undefined) reaches.set(policy.name, reachMs);
  }
  return {
    actual,
    catalogues,
    logReachMs: reaches,
    fingerprint: world.sha256(canonicalActual(actual, catalogues)),
  };
}

async function observeReplaced(
  world: World,
  platform: Platform | undefined,
): Promise<readonly ReplacedJob[]> {
  const found: ReplacedJob[] = [];
  for (const { name: policy, replaces } of world.set.policies) {
    if (replaces === undefined) continue;
    const state = (await platform?.foreignJob?.(replaces)) ?? "unknown";
    found.push({ policy, name: replaces, state });
  }
  return found;
}

async function observePolicy(world: World, policy: Policy): Promise<PolicyObservation> {
  const [stored, source] = await Promise.all([observeStore(world, policy), observeSource(world, policy)]);
  return { ...stored, source };
}

async function observeSource(world: World, policy: Policy): Promise<SourceFacts> {
  try {
    return await world.withContext(policy, {}, async (context) =>
      (await world.engine(policy)).probe(context),
    );
  } catch (error) {
    return {
      policy: policy.name,
      reachable: false,
      detail: error instanceof Error ? error.message : String(error),
      version: "",
      identity: "",
      tools: {},
      drift: [],
    };
  }
}

async function observeStore(world: World, policy: Policy): Promise<PolicyObservation> {
  try {
    const repository = await world.repository(policy);
    const [store, catalogue] = await Promise.all([repository.identity(), repository.catalogue()]);
    const reachMs = await logReachMs(world, policy, repository, catalogue).catch((error: unknown) => {
      world.log.debug("how far the log reaches could not be read", {
        policy: policy.name,
        cause: String(error),
      });
      return undefined;
    });
    return { store, catalogue, ...(reachMs === undefined ? {} : { reachMs }) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { name, prefix } = policy.store;
    return {
      store: {
        policy: policy.name,
        store: name,
        prefix,
        identity: "unreachable",
        detail: `${error.code}: ${error.message}`,
      },
    };
  }
}
