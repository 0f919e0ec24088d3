/**
 * Climbs the ladder of proof for one point and stores the verdict beside its manifest. Each level stands on
 * those below; the first that fails ends the climb, and its checks name what is wrong.
 */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import type { Check, Measurements, PointId, Verdict } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { escrowKeys } from "../health/judge-escrow.ts";
import type { Policy, ProofLevel } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import { drill, inspect } from "./drill.ts";
import { chooseInstant } from "./random-instant.ts";
import { checkObjects, checkSize } from "./verify-stored.ts";
import type { World } from "./world.ts";

export interface VerifyOptions {
  /** The newest point that is not marked for removal when not given. */
  readonly point?: PointId;
  readonly level: ProofLevel;
  /** Fixes the random instant of level 5; the revision when not given. */
  readonly seed?: string;
}

export interface VerifyOutcome {
  readonly ok: boolean;
  readonly point: PointId;
  readonly verdict: Verdict;
  /** Names of the escrow keys that are on record now as having opened this point. */
  readonly provedKeys: readonly string[];
}

/**
 * @throws point-unknown; whatever the store throws when it cannot be asked (then nothing was proved and no
 *   verdict is written). Damage is no error: it is a verdict that is not ok.
 */
export async function verify(world: World, policy: Policy, options: VerifyOptions): Promise<VerifyOutcome> {
  if (options.level > 5) {
    throw new HoldfastError("usage", "level 6 is of the whole stack and not of one policy", {
      hint: "holdfast verify --all",
    });
  }
  const repository = await world.repository(policy);
  repository.demandVerdicts();
  const catalogue = await repository.catalogue();
  const startedAtMs = world.clock.nowMs();
  const seed = options.seed ?? (world.revision === "" ? "no-revision" : world.revision);
  const target =
    options.level === 5 && options.point === undefined
      ? await chooseInstant(world, policy, repository, catalogue, seed)
      : undefined;
  const point = choosePoint(policy, catalogue, options.point ?? target?.point);
  const endWatch = repository.watchKeys();
  const climb = await climbTo(world, policy, repository, catalogue, point, {
    asked: options.level,
    seed,
    ...(target === undefined ? {} : { atMs: target.atMs }),
  }).finally(endWatch);
  const recipients = endWatch();
  const verdict: Verdict = {
    apiVersion: "holdfast.dev/v1",
    kind: "Verdict",
    policy: policy.name,
    point: point.manifest.id,
    level: climb.level,
    asked: options.level,
    ok: climb.level === options.level,
    at: instant(world.clock.nowMs()),
    durationMs: world.clock.nowMs() - startedAtMs,
    checks: climb.checks,
    measured: climb.measured,
    manifestSha256: point.manifestSha256,
    ...(recipients.length === 0 ? {} : { openedBy: recipients }),
  };
  await repository.addVerdict(verdict);
  const provedKeys = await recordKeys(world, policy, repository, verdict);
  return { ok: verdict.ok, point: verdict.point, verdict, provedKeys };
}

/**
 * The names of the escrow keys that are on record now as having opened the point by themselves.
 * What a verification that failed, or decrypted nothing whole, says of a key is not enough to rely on it.
 */
export async function recordKeys(
  world: World,
  policy: Policy,
  repository: Repository,
  { ok, level, point, at, manifestSha256, openedBy = [] }: Verdict,
): Promise<readonly string[]> {
  if (!ok || level < 3) return [];
  const opened = escrowKeys(policy, world.set.keys).filter((k) => openedBy.includes(k.recipient));
  for (const { recipient } of opened) {
    await repository.addKeyProof({
      apiVersion: "holdfast.dev/v1",
      kind: "KeyProof",
      policy: policy.name,
      recipient,
      point,
      level: level as ProofLevel,
      at,
      manifestSha256,
    });
  }
  return opened.map((k) => k.name);
}

function choosePoint(policy: Policy, catalogue: Catalogue, id: PointId | undefined): RecoveryPoint {
  const usable = catalogue.points.filter((p) => p.tombstone === undefined);
  const found =
    id === undefined
      ? (usable.at(-1) ?? catalogue.points.at(-1))
      : catalogue.points.find((p) => p.manifest.id === id);
  if (found !== undefined) return found;
  const broken = catalogue.unreadable.find((u) => id === undefined || u.id === id);
  if (broken !== undefined) {
    throw new HoldfastError(
      "manifest-invalid",
      `the manifest of point ${broken.id} cannot be used: ${broken.reason}`,
    );
  }
  throw new HoldfastError(
    "point-unknown",
    id === undefined
      ? `policy '${policy.name}' has no recovery point yet`
      : `policy '${policy.name}' has no point ${id}`,
    { hint: `holdfast list ${policy.name} shows them; holdfast backup ${policy.name} makes one` },
  );
}

interface Climb {
  readonly level: ProofLevel | -1;
  readonly checks: readonly Check[];
  readonly measured: Measurements;
}

/** From the bottom to `asked`, 5 at most; `atMs` is the instant of level 5. */
export async function climbTo(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  point: RecoveryPoint,
  { asked, atMs, seed }: { readonly asked: ProofLevel; readonly atMs?: number; readonly seed: string },
): Promise<Climb> {
  const checks: Check[] = [];
  const measured: Measurements = {};
  const climbed = (more: readonly Check[]): boolean => {
    checks.push(...more);
    return more.every((c) => c.ok);
  };
  world.step(`level 0: every object of ${point.manifest.id} is there`);
  if (!climbed(await checkObjects(world, policy, repository, catalogue, point, "present")))
    return { level: -1, checks, measured };
  if (asked === 0) return { level: 0, checks, measured };
  if (!climbed(checkSize(policy, catalogue, point))) return { level: 0, checks, measured };
  if (asked === 1) return { level: 1, checks, measured };
  world.step("level 2: every stored byte is read and hashed");
  if (
    !climbed(
      await checkObjects(world, policy, repository, catalogue, point, "checksum", (p) => world.progress(p)),
    )
  ) {
    return { level: 1, checks, measured };
  }
  if (asked === 2) return { level: 2, checks, measured };
  if (asked === 3) {
    world.step("level 3: everything is decoded and the vendor's own checker judges");
    const good = climbed(await inspect(world, policy, repository, catalogue, point));
    return { level: good ? 3 : 2, checks, measured };
  }
  world.step(`level ${asked}: a restore into a throwaway server`);
  const outcome = await drill(world, policy, repository, catalogue, {
    point,
    seed,
    ...(atMs === undefined ? {} : { atMs }),
  });
  const good = climbed(outcome.checks);
  // A restore that fails in the vendor's checker has not even shown level 3.
  const failedLevel = outcome.decoded ? 3 : 2;
  return { level: good ? asked : failedLevel, checks, measured: outcome.measured };
}
