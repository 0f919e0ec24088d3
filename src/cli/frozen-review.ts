/** A review that was merged is frozen: what is applied must come to the same, or nothing is. */
import { HoldfastError } from "../errors.ts";
import type { World } from "../operate/world.ts";
import { canonical } from "../plan/fingerprint.ts";
import type { Review } from "../plan/review.ts";
import { readPolicySet } from "../policy/read.ts";
import { type Stock, stockOf } from "../retention/future.ts";
import { type SharedOptions, wireOptions } from "./options.ts";
import { readSchemas } from "./policy-files.ts";
import { makeReview, readReview } from "./review.ts";
import { policySide } from "./revisions.ts";

/**
 * What is stored of each policy of the base that has an engine, by name: the points lie where the base has put them,
 * also those of a policy that the change moves or removes, and no address that only the change names is asked.
 */
export async function storedAt(options: SharedOptions, base: string): Promise<ReadonlyMap<string, Stock>> {
  const { files, revision } = await policySide(options.policies, base);
  const { set } = readPolicySet(files, await readSchemas());
  const { buildWorld } = await import("./wire.ts");
  const world = await buildWorld(wireOptions(options), set, revision);
  try {
    return await stocksIn(world);
  } finally {
    await world.close();
  }
}

/** What is stored of each policy of the world that has an engine, by name. */
export async function stocksIn(world: World): Promise<ReadonlyMap<string, Stock>> {
  const stocks = new Map<string, Stock>();
  for (const policy of world.set.policies.filter((p) => world.hasEngine(p))) {
    stocks.set(policy.name, stockOf(await (await world.repository(policy)).catalogue()));
  }
  return stocks;
}

/**
 * Makes the review at `path` again from its base, the policies as they are now and the points stored until its
 * instant. @throws plan-stale where another one comes out; usage where there is none to compare with
 */
export async function requireFrozen(path: string, options: SharedOptions): Promise<void> {
  const frozen = await readReview(path);
  if (options.bundle !== undefined)
    throw new HoldfastError(
      "usage",
      "--review compares the policies of a folder; it does not go with --bundle",
    );
  if (frozen.outlook === null)
    throw new HoldfastError("usage", `'${path}' is the review of policies with errors; it foresees nothing`);
  const now = await makeReview({
    policies: options.policies,
    base: frozen.base.revision,
    days: frozen.outlook.days,
    pricePerGibMonth: frozen.outlook.pricePerGibMonth,
    asOfMs: Date.parse(frozen.asOf),
    ...(frozen.catalogueKnown ? { stocks: await storedAt(options, frozen.base.revision) } : {}),
    command: () => frozen.command,
  });
  if (now.hash === frozen.hash) return;
  throw new HoldfastError("plan-stale", `${moved(frozen, now)} not what was reviewed; nothing was done`, {
    hint: `frozen ${frozen.hash.slice(0, 12)}, now ${now.hash.slice(0, 12)}; review the change again with holdfast plan --base`,
  });
}

function moved(frozen: Review, now: Review): string {
  if (frozen.head.digest !== now.head.digest) return "the policies are";
  if (frozen.base.digest !== now.base.digest) return "the policies of the base are";
  if (canonical(frozen.jobs) !== canonical(now.jobs)) return "the jobs that follow from the policies are";
  return "what becomes of the stored points is";
}
