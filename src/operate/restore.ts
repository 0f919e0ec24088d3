/** The emergency command, the same for every component: from a target to data in a folder, ready to start. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Instant } from "../catalogue/instant.ts";
import type { Check, PointId } from "../catalogue/manifest.ts";
import type { RecoveryTarget, RunningServer } from "../engine/engine.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import { planRestore } from "../recovery/chain.ts";
import type { Repository } from "../repository/repository.ts";
import { assertionName, restoreRequest } from "./drill.ts";
import { logReachMs, segmentNames } from "./log-position.ts";
import { requireRoom } from "./room.ts";
import type { World } from "./world.ts";

export interface RestoreOptions {
  readonly target: RecoveryTarget;
  /** Restore from this point and no other. */
  readonly point?: PointId;
  readonly directory: string;
  /** Start a throwaway server on it, ask the assertions, and leave it to the caller to stop. */
  readonly start: boolean;
  /** Try even where disk or memory look too small. */
  readonly ignoreRoom?: boolean;
}

export interface RestoreOutcome {
  readonly ok: boolean;
  readonly point: PointId;
  readonly directory: string;
  readonly startCommand: string;
  readonly restoredBytes: number;
  readonly durationMs: number;
  readonly checks: readonly Check[];
  /** What the started server holds last; only with `start`. */
  readonly lastCanaryAt?: Instant;
  readonly server?: RunningServer;
}

/**
 * After it `directory` holds the data as of the target, ready to start.
 * @throws target-unreachable or wal-gap, naming what is missing and the nearest instants that can be
 *   reached; target-not-empty; no-room; point-unknown; data-damaged
 */
export async function restore(
  world: World,
  policy: Policy,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  const engine = await world.engine(policy);
  const startedAtMs = world.clock.nowMs();
  const { repository, catalogue, point, reachMs } = await chooseRestore(world, policy, options);
  const target = withoutLaterCommit(options.target, reachMs) ? ({ kind: "latest" } as const) : options.target;
  world.step(`restoring ${point.manifest.id} into ${options.directory}`);
  return await world.withContext(policy, {}, async (context) => {
    const request = restoreRequest(policy, repository, catalogue, point, target, options.directory);
    if (options.ignoreRoom !== true) {
      const chain = request.chain.map((member) => member.manifest);
      await requireRoom(world.machine, chain, options.directory, options.start);
    }
    const restored = await engine.restore(context, request);
    const checks: Check[] = [...restored.checks];
    const outcome = {
      point: point.manifest.id,
      directory: restored.directory,
      startCommand: restored.startCommand,
      restoredBytes: restored.restoredBytes,
    };
    if (!options.start) {
      const ok = checks.every((c) => c.ok);
      return { ...outcome, ok, checks, durationMs: world.clock.nowMs() - startedAtMs };
    }
    world.step("starting a throwaway server and replaying the log");
    const server = await engine.start(context, restored, request);
    for (const assertion of policy.assertions) {
      const answer = await server.ask(assertion.sql, assertion.database).catch((error: unknown) => error);
      checks.push({
        name: assertionName(assertion.database),
        ok: answer === true,
        detail: `${assertion.sql} is ${String(answer)}`,
      });
    }
    const lastCanaryAt = policy.canaryEveryMs > 0 ? await server.lastCanaryAt() : undefined;
    const ok = checks.every((c) => c.ok);
    const durationMs = world.clock.nowMs() - startedAtMs;
    return {
      ...outcome,
      ok,
      checks,
      durationMs,
      server,
      ...(lastCanaryAt === undefined ? {} : { lastCanaryAt }),
    };
  });
}

/**
 * After the last commit in the log nothing has happened, so an instant there is the end of the log. The
 * server itself would refuse it, because it waits for a commit that lies beyond.
 */
function withoutLaterCommit(target: RecoveryTarget, reachMs: number | undefined): boolean {
  return target.kind === "time" && reachMs !== undefined && Date.parse(target.at) > reachMs;
}

/** What a restore would start from, and why; the whole of the decision, nothing done yet. */
export interface RestoreChoice {
  readonly repository: Repository;
  readonly catalogue: Catalogue;
  readonly point: RecoveryPoint;
  readonly reason: string;
  /** Newer points that do not serve, newest first. */
  readonly passedOver: readonly { readonly id: PointId; readonly cause: string }[];
  /** How far the stored log reaches; only where the target made somebody look. */
  readonly reachMs?: number;
}

/** @throws target-unreachable, wal-gap, point-unknown, manifest-invalid */
export async function chooseRestore(
  world: World,
  policy: Policy,
  options: Pick<RestoreOptions, "target" | "point">,
): Promise<RestoreChoice> {
  const repository = await world.repository(policy);
  world.step("reading the catalogue from the store");
  const catalogue = await repository.catalogue();
  if (options.point !== undefined) {
    const point = namedPoint(policy, catalogue, options.point);
    return { repository, catalogue, point, reason: "it was asked for by name", passedOver: [] };
  }
  if (catalogue.points.length === 0) {
    throw new HoldfastError("point-unknown", `policy '${policy.name}' has no recovery point in its store`, {
      hint: "is the store the right one? holdfast doctor looks",
    });
  }
  const reachMs =
    options.target.kind === "time" ? await logReachMs(world, policy, repository, catalogue) : undefined;
  const input = { catalogue, target: options.target, ...(await segmentNames(world, policy, catalogue)) };
  const reach = reachMs === undefined ? {} : { reachMs };
  const plan = planRestore(reachMs === undefined ? input : { ...input, logReachMs: reachMs });
  return {
    repository,
    catalogue,
    point: plan.point,
    reason: plan.reason,
    passedOver: plan.passedOver,
    ...reach,
  };
}

function namedPoint(policy: Policy, catalogue: Catalogue, id: PointId): RecoveryPoint {
  const named = catalogue.points.find((p) => p.manifest.id === id);
  if (named !== undefined) return named;
  const broken = catalogue.unreadable.find((u) => u.id === id);
  const hint = `holdfast list ${policy.name} shows the others`;
  if (broken === undefined) {
    throw new HoldfastError("point-unknown", `policy '${policy.name}' has no point ${id}`, { hint });
  }
  const message = `the manifest of point ${broken.id} cannot be used: ${broken.reason}`;
  throw new HoldfastError("manifest-invalid", message, { hint });
}
