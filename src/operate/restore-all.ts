/** The emergency command for everything at once: each component into a folder of its own, in their order. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Instant } from "../catalogue/instant.ts";
import type { Check, PointId } from "../catalogue/manifest.ts";
import type { ComponentKind } from "../component.ts";
import type { RunningServer } from "../engine/engine.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import { readFacts } from "./at.ts";
import { explainRestore, type RestoreExplanation } from "./explain-restore.ts";
import { restore } from "./restore.ts";
import { planStack, type StackPlan } from "./stack.ts";
import type { World } from "./world.ts";

export interface RestoreAllOptions {
  /** The stack comes back as of the latest common instant at or before it. */
  readonly atMs: number;
  /** Each component goes into a folder below it that has the policy's name. */
  readonly directory: string;
  /** Start a throwaway server on each and leave it up until the last one stands; then stop them all. */
  readonly start: boolean;
  readonly ignoreRoom?: boolean;
}

export interface RestoredMember {
  readonly policy: string;
  readonly component: ComponentKind;
  readonly ok: boolean;
  readonly point: PointId | null;
  readonly stateAt: Instant | null;
  readonly directory: string | null;
  readonly startCommand: string | null;
  readonly restoredBytes: number;
  readonly durationMs: number;
  readonly checks: readonly Check[];
  /** Why it did not come back; null when it did. */
  readonly failure: string | null;
}

export interface RestoreAllOutcome {
  readonly ok: boolean;
  readonly at: Instant;
  readonly spreadSeconds: number;
  readonly durationMs: number;
  readonly policies: readonly RestoredMember[];
  /** Of the gravest failure; 0 when all came back. */
  readonly exitStatus: number;
}

/**
 * One component that fails does not keep the others from coming back: it is named, and `ok` is false.
 * @throws target-unreachable when nothing goes back that far; usage when the folder cannot be made; interrupted
 */
export async function restoreAll(world: World, options: RestoreAllOptions): Promise<RestoreAllOutcome> {
  const startedAtMs = world.clock.nowMs();
  const { facts, exitStatus } = await readFacts(world);
  const plan = planStack(facts, options.atMs);
  const policies: RestoredMember[] = plan.leftOut.map(({ policy, failure }) => failed(policy, failure, 0));
  let worst = Math.max(exitStatus, plan.leftOut.length > 0 ? 5 : 0);
  const up: RunningServer[] = [];
  await makeShared(options.directory);
  try {
    for (const { policy, stateAt } of plan.members) {
      const begunAtMs = world.clock.nowMs();
      try {
        const outcome = await restore(world, policy, {
          target: { kind: "time", at: plan.at },
          directory: join(options.directory, policy.name),
          start: options.start,
          ignoreRoom: options.ignoreRoom === true,
        });
        const { server, lastCanaryAt: _, ...told } = outcome;
        if (server !== undefined) up.push(server);
        if (!outcome.ok) worst = Math.max(worst, 5);
        policies.push({
          ...told,
          policy: policy.name,
          component: policy.component,
          stateAt,
          failure: null,
        });
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code === "interrupted") throw error;
        worst = Math.max(worst, error.exitStatus);
        policies.push(failed(policy, `${error.message}; ${error.hint}`, world.clock.nowMs() - begunAtMs));
      }
    }
  } finally {
    for (const server of up.reverse()) await server.stop();
  }
  return {
    ok: policies.every((p) => p.ok),
    at: plan.at,
    spreadSeconds: plan.spreadSeconds,
    durationMs: world.clock.nowMs() - startedAtMs,
    policies,
    exitStatus: worst,
  };
}

/**
 * The folder over all of them, made here: whoever restores first would make it for himself alone, and a server that
 * runs as another user could not pass.
 */
async function makeShared(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((error: Error) => {
    throw new HoldfastError("usage", `'${directory}' cannot be made: ${error.message}`, { cause: error });
  });
}

function failed(policy: Policy, failure: string, durationMs: number): RestoredMember {
  return {
    policy: policy.name,
    component: policy.component,
    ok: false,
    point: null,
    stateAt: null,
    directory: null,
    startCommand: null,
    restoredBytes: 0,
    durationMs,
    checks: [{ name: "restore", ok: false, detail: failure }],
    failure,
  };
}

export interface StackExplanation extends Pick<StackPlan, "at" | "spreadSeconds"> {
  readonly policies: readonly RestoreExplanation[];
  readonly leftOut: readonly { readonly policy: string; readonly failure: string }[];
}

/** What `restoreAll` would do; changes nothing. @throws target-unreachable */
export async function explainRestoreAll(
  world: World,
  { atMs, directory }: Pick<RestoreAllOptions, "atMs"> & { readonly directory?: string },
): Promise<StackExplanation> {
  const { facts } = await readFacts(world);
  const { at, spreadSeconds, members, leftOut } = planStack(facts, atMs);
  const policies: RestoreExplanation[] = [];
  for (const { policy } of members) {
    const target = { kind: "time", at } as const;
    policies.push(
      await explainRestore(world, policy, { target, ...(directory === undefined ? {} : { directory }) }),
    );
  }
  return {
    at,
    spreadSeconds,
    policies,
    leftOut: leftOut.map(({ policy, failure }) => ({ policy: policy.name, failure })),
  };
}
