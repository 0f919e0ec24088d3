/** Levels 3 to 5: decode, restore, start, ask. The source server is never touched. */
import { join } from "node:path";
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import { instant } from "../catalogue/instant.ts";
import type { Check, Measurements } from "../catalogue/manifest.ts";
import { componentFacts } from "../component.ts";
import type { RecoveryTarget, RestoreRequest, RunningServer } from "../engine/engine.ts";
import { errorCodes, HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import { type CanaryOutcome, judgeCanary } from "./canary.ts";
import { requireRoom } from "./room.ts";
import type { World } from "./world.ts";

export interface DrillRequest {
  readonly point: RecoveryPoint;
  readonly seed: string;
  /** Recovery target of level 5 in milliseconds; as far as the log reaches when not given. */
  readonly atMs?: number;
  /** Called once the server has answered everything; it is stopped when this has resolved. */
  readonly whileUp?: () => Promise<void>;
}

export interface DrillOutcome {
  readonly checks: readonly Check[];
  readonly measured: Measurements;
  /** The vendor's checker has agreed, whatever came later. */
  readonly decoded: boolean;
}

/** The chain and log for one point, as the engine wants them. */
export function restoreRequest(
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  point: RecoveryPoint,
  target: RecoveryTarget,
  directory: string,
): RestoreRequest {
  const members = [point.manifest];
  for (const id of point.manifest.parents) {
    const parent = catalogue.points.find((p) => p.manifest.id === id);
    if (parent === undefined) {
      throw new HoldfastError(
        "object-missing",
        `point ${point.manifest.id} needs its parent ${id}, which is not there`,
      );
    }
    members.push(parent.manifest);
  }
  return {
    chain: members.map((manifest) => ({ manifest, source: repository.source(manifest) })),
    target: targetOf(policy, target, point),
    directory,
    ...(policy.log !== undefined && catalogue.log !== undefined
      ? { log: { store: repository.log, archive: catalogue.log } }
      : {}),
  };
}

/**
 * Where there is neither a log nor versions, an instant behind a point is restored to by the state of the point. One
 * before it is left to the engine, which refuses it.
 */
function targetOf(policy: Policy, target: RecoveryTarget, { manifest }: RecoveryPoint): RecoveryTarget {
  const goesBeyondPoints =
    policy.log !== undefined || componentFacts(policy.component).keepsVersions === true;
  if (target.kind !== "time" || goesBeyondPoints) return target;
  return Date.parse(target.at) >= Date.parse(manifest.consistentAt) ? { kind: "point" } : target;
}

/** Level 3. Damage becomes a failed check; only an unreachable store or a missing tool or key is an error. */
export async function inspect(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  point: RecoveryPoint,
): Promise<readonly Check[]> {
  try {
    return await world.withContext(policy, {}, async (context) => {
      const directory = join(context.workDirectory, "inspect");
      const request = restoreRequest(policy, repository, catalogue, point, { kind: "point" }, directory);
      return (await world.engine(policy)).inspect(context, request);
    });
  } catch (error) {
    return [failedCheck("decode", error)];
  }
}

/** Restores into a folder of its own, starts a throwaway server, asks it, and throws both away. */
export async function drill(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  request: DrillRequest,
): Promise<DrillOutcome> {
  const engine = await world.engine(policy);
  const decidedAtMs = world.clock.nowMs();
  const target: RecoveryTarget =
    request.atMs !== undefined
      ? { kind: "time", at: instant(request.atMs) }
      : { kind: policy.log === undefined ? "point" : "latest" };
  const checks: Check[] = [];
  let decoded = false;
  try {
    return await world.withContext(policy, {}, async (context) => {
      const directory = join(context.workDirectory, "restore");
      const restore = restoreRequest(policy, repository, catalogue, request.point, target, directory);
      const chain = restore.chain.map((member) => member.manifest);
      await requireRoom(world.machine, chain, directory, true);
      const restored = await engine.restore(context, restore);
      checks.push(...restored.checks);
      decoded = restored.checks.every((c) => c.ok);
      if (!decoded) return { checks, measured: {}, decoded };
      const server = await engine.start(context, restored, restore);
      try {
        checks.push({ name: "server started", ok: true, detail: reachedText(server) });
        checks.push(...(await ask(policy, server)));
        const rtoSeconds = (world.clock.nowMs() - decidedAtMs) / 1000;
        const canary = await measureCanary(
          policy,
          server,
          request.atMs ?? decidedAtMs,
          request.atMs !== undefined,
        );
        checks.push(...canary.checks);
        checks.push({
          name: "recovery time",
          ok: rtoSeconds * 1000 <= policy.objectives.rtoMs,
          detail: `${rtoSeconds.toFixed(1)} s from the decision to the last assertion, target ${policy.objectives.rtoMs / 1000} s`,
        });
        const measured = {
          ...canary.measured,
          rtoSeconds,
          restoredBytes: restored.restoredBytes,
          seed: request.seed,
        };
        await request.whileUp?.();
        return { checks, measured, decoded };
      } finally {
        await server.stop();
      }
    });
  } catch (error) {
    return { checks: [...checks, failedCheck("restore", error)], measured: {}, decoded };
  }
}

function reachedText(server: RunningServer): string {
  const facts = Object.entries(server.reached).map(([name, value]) => `${name} ${value}`);
  return facts.length === 0 ? "accepts connections" : facts.join(", ");
}

/** An assertion without a database of its own is asked in the policy's. */
export function assertionName(database: string): string {
  return database === "" ? "assertion" : `assertion in ${database}`;
}

async function ask(policy: Policy, server: RunningServer): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const assertion of policy.assertions) {
    const name = assertionName(assertion.database);
    try {
      const answer = await server.ask(assertion.sql, assertion.database);
      checks.push({ name, ok: answer === true, detail: `${assertion.sql} is ${String(answer)}` });
    } catch (error) {
      checks.push({
        name,
        ok: false,
        detail: `${assertion.sql}: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }
  return checks;
}

/** Asked of the restored server, where the policy writes canaries. */
async function measureCanary(
  policy: Policy,
  server: RunningServer,
  endAtMs: number,
  exact: boolean,
): Promise<CanaryOutcome> {
  if (policy.canaryEveryMs === 0) return { checks: [], measured: {} };
  return judgeCanary(policy.objectives, await server.lastCanaryAt(), endAtMs, exact);
}

/** @throws the error itself when it says nothing about the backup: no store, no key, no tool, an interruption. */
function failedCheck(name: string, error: unknown): Check {
  if (!(error instanceof HoldfastError)) throw error;
  const exit = errorCodes[error.code].exit;
  const aboutUs = exit === "unreachable" || exit === "key" || exit === "interrupted" || exit === "locked";
  if (aboutUs || error.code === "tool-missing" || error.code === "tool-version" || error.code === "usage")
    throw error;
  return { name, ok: false, detail: `${error.code}: ${error.message}` };
}
