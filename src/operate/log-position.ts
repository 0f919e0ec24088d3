/** What the rooms that judge a log are told of it: how far it reaches, and what its pieces are called. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Policy } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import type { World } from "./world.ts";

/** How far the stored log reaches, in milliseconds; undefined where there is no log or nobody can tell. */
export async function logReachMs(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
): Promise<number | undefined> {
  const engine = await world.engine(policy);
  const archive = catalogue.log;
  if (archive === undefined || engine.logReach === undefined) return undefined;
  const reachOf = engine.logReach.bind(engine);
  const at = await world.withContext(policy, {}, (context) => reachOf(context, repository.log, archive));
  return at === undefined ? undefined : Date.parse(at);
}

/** `nameOf` for those who speak of pieces that are missing; empty where the component keeps no log. */
export async function segmentNames(
  world: World,
  policy: Policy,
  catalogue: Catalogue,
): Promise<{ readonly nameOf?: (branch: string, sequence: number) => string }> {
  const names = (await world.engine(policy)).logNames;
  const newest = catalogue.points.at(-1)?.manifest;
  if (names === undefined) return {};
  const own = newest === undefined ? names : names.forManifest(newest);
  return { nameOf: (branch, sequence) => own.segmentName(branch, sequence) };
}
