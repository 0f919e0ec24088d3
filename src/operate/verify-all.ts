/**
 * Level 6: the whole stack restored in order to one random instant, all of it standing at the same time. Every
 * component gets a verdict of its own; none is at level 6 unless all are.
 */
import { instant } from "../catalogue/instant.ts";
import type { Check, Verdict } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { PolicyFacts } from "../health/time-travel.ts";
import { isInStack } from "../plan/jobs.ts";
import type { ProofLevel } from "../policy/model.ts";
import { planRestore } from "../recovery/chain.ts";
import { factsOf } from "./at.ts";
import { type DrillOutcome, drill } from "./drill.ts";
import { segmentNames } from "./log-position.ts";
import { planStack, type StackMember, type StackPlan } from "./stack.ts";
import { climbTo, recordKeys } from "./verify.ts";
import type { World } from "./world.ts";

export interface VerifyAllOutcome {
  readonly ok: boolean;
  /** The instant the stack was restored to. */
  readonly at: string;
  readonly durationMs: number;
  /** In the order of the restore. */
  readonly verdicts: readonly Verdict[];
  /** Escrow keys that opened every component's point by themselves, by name. */
  readonly provedKeys: readonly string[];
}

/** What is known of one component when all have had their turn. */
interface Turn {
  readonly member: StackMember;
  readonly manifestSha256: string;
  readonly pointId: string;
  readonly startedAtMs: number;
  readonly level: ProofLevel | -1;
  readonly checks: readonly Check[];
  readonly measured: Verdict["measured"];
  readonly openedBy: readonly string[];
}

/**
 * @throws point-unknown when a component has no point, target-unreachable when there is no common instant, and
 *   whatever a store throws when it cannot be asked: then nothing was proved and no verdict is written
 */
export async function verifyAll(
  world: World,
  options: { readonly seed?: string },
): Promise<VerifyAllOutcome> {
  const startedAtMs = world.clock.nowMs();
  const seed = options.seed ?? (world.revision === "" ? "no-revision" : world.revision);
  const facts: PolicyFacts[] = [];
  for (const policy of world.set.policies) {
    if (world.hasEngine(policy) && isInStack(policy)) facts.push(await factsOf(world, policy));
  }
  const plan = planStack(facts, chooseInstantMs(world, facts, seed));
  const missing = plan.leftOut[0];
  if (missing !== undefined || facts.length === 0) {
    throw new HoldfastError(
      "point-unknown",
      missing === undefined
        ? "there is no policy to prove"
        : `'${missing.policy.name}' cannot come along: ${missing.failure}`,
      {
        hint:
          missing === undefined
            ? "holdfast lint says what is wrong with the policies"
            : `holdfast backup ${missing.policy.name}`,
      },
    );
  }
  for (const { policy } of plan.members) (await world.repository(policy)).demandVerdicts();
  const turns = await standTogether(world, plan, seed);
  const seconds = (world.clock.nowMs() - startedAtMs) / 1000;
  const whole = wholeCheck(plan, turns, seconds);
  const verdicts: Verdict[] = [];
  const opened: (readonly string[])[] = [];
  for (const turn of turns) {
    const { policy } = turn.member;
    const verdict = verdictOf(world, turn, whole);
    const repository = await world.repository(policy);
    await repository.addVerdict(verdict);
    opened.push(await recordKeys(world, policy, repository, verdict));
    verdicts.push(verdict);
  }
  const provedKeys = (opened[0] ?? []).filter((key) => opened.every((keys) => keys.includes(key)));
  const durationMs = world.clock.nowMs() - startedAtMs;
  return { ok: whole.ok, at: plan.at, durationMs, verdicts, provedKeys };
}

/**
 * Evenly from the time since every component has a state, or since the shortest window of those with a log
 * begins, until now; the commit chooses, so nobody can pick an easy one.
 */
function chooseInstantMs(world: World, facts: readonly PolicyFacts[], seed: string): number {
  const nowMs = world.clock.nowMs();
  const begins = facts.map(({ catalogue, policy }) => {
    const first = catalogue?.points[0]?.manifest.consistentAt;
    if (first === undefined) {
      throw new HoldfastError("point-unknown", `policy '${policy.name}' has no recovery point yet`, {
        hint: `holdfast backup ${policy.name} makes one`,
      });
    }
    const windowMs = policy.log === undefined ? 0 : nowMs - policy.objectives.pitrWindowMs;
    return Math.max(Date.parse(first), windowMs);
  });
  const fromMs = Math.min(nowMs, Math.max(...begins));
  const newest = facts.map((f) => f.catalogue?.points.at(-1)?.manifest.id ?? "").join("\n");
  const hash = world.sha256(`${seed}\nwhole stack\n${newest}`);
  return fromMs + Math.floor((Number.parseInt(hash.slice(0, 12), 16) / 2 ** 48) * (nowMs - fromMs));
}

/** Every server stays up until the last has answered; they are stopped in the opposite order. */
async function standTogether(world: World, plan: StackPlan, seed: string): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  const takeTurn = async (index: number): Promise<void> => {
    const member = plan.members[index];
    if (member === undefined) return;
    const { policy, catalogue, logReachMs } = member;
    world.step(`level 6, ${index + 1} of ${plan.members.length}: ${policy.name} as of ${member.stateAt}`);
    const begunAtMs = world.clock.nowMs();
    const repository = await world.repository(policy);
    const names = await segmentNames(world, policy, catalogue);
    const { point } = planRestore({
      catalogue,
      target: { kind: "time", at: plan.at },
      ...names,
      ...(logReachMs === undefined ? {} : { logReachMs }),
    });
    const base = {
      member,
      manifestSha256: point.manifestSha256,
      pointId: point.manifest.id,
      startedAtMs: begunAtMs,
    };
    const climb = await climbTo(world, policy, repository, catalogue, point, { asked: 2, seed });
    if (climb.level < 2) {
      turns.push({ ...base, ...climb, openedBy: [] });
      return takeTurn(index + 1);
    }
    let isNextDone = false;
    let failure: { readonly error: unknown } | undefined;
    const endWatch = repository.watchKeys();
    const outcome = await drill(world, policy, repository, catalogue, {
      point,
      seed,
      atMs: Date.parse(plan.at),
      whileUp: async () => {
        isNextDone = true;
        // What goes wrong with the next is no fault of this one.
        await takeTurn(index + 1).catch((error: unknown) => {
          failure = { error };
        });
      },
    }).finally(endWatch);
    if (failure !== undefined) throw failure.error;
    turns.push({ ...base, ...afterDrill(climb.checks, outcome), openedBy: endWatch() });
    if (!isNextDone) await takeTurn(index + 1);
  };
  await takeTurn(0);
  const order = plan.members.map((m) => m.policy.name);
  return turns.sort((a, b) => order.indexOf(a.member.policy.name) - order.indexOf(b.member.policy.name));
}

function afterDrill(
  stored: readonly Check[],
  { checks, measured, decoded }: DrillOutcome,
): Pick<Turn, "level" | "checks" | "measured"> {
  const good = checks.every((c) => c.ok);
  return { level: good ? 5 : decoded ? 3 : 2, checks: [...stored, ...checks], measured };
}

/** The same sentence in every verdict: who failed, or that all stood. */
function wholeCheck(plan: StackPlan, turns: readonly Turn[], seconds: number): Check {
  const name = "whole stack";
  const bad = turns.filter((t) => t.level < 5).map((t) => t.member.policy.name);
  const order = turns.map((t) => t.member.policy.name).join(", ");
  if (bad.length > 0)
    return { name, ok: false, detail: `${bad.join(" and ")} did not come back; order ${order}` };
  const spread =
    plan.spreadSeconds === 0 ? "all of that instant" : `their states up to ${plan.spreadSeconds} s apart`;
  return {
    name,
    ok: true,
    detail: `${turns.length} of ${turns.length} stood at once, restored to ${plan.at} in ${seconds.toFixed(1)} s in the order ${order}; ${spread}`,
  };
}

function verdictOf(world: World, turn: Turn, whole: Check): Verdict {
  const { policy } = turn.member;
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Verdict",
    policy: policy.name,
    point: turn.pointId,
    level: whole.ok ? 6 : turn.level,
    asked: 6,
    ok: whole.ok,
    at: instant(world.clock.nowMs()),
    durationMs: world.clock.nowMs() - turn.startedAtMs,
    checks: [...turn.checks, whole],
    measured: turn.measured,
    manifestSha256: turn.manifestSha256,
    ...(turn.openedBy.length === 0 ? {} : { openedBy: turn.openedBy }),
  };
}
