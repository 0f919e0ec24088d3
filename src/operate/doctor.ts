/** What is wrong with this set-up: each finding with the next step. Changes nothing. */
import type { Check } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import { count } from "../report/units.ts";
import type { World } from "./world.ts";

export interface Diagnosis extends Check {
  readonly policy: string;
  /** What to do; empty when all is well. */
  readonly next: string;
}

/** Asks source, store and marker of every policy with an engine. Never throws for what it finds. */
export async function diagnose(world: World): Promise<readonly Diagnosis[]> {
  const found: Diagnosis[] = [];
  for (const policy of world.set.policies) {
    if (!world.hasEngine(policy)) {
      const detail = `the engine for ${policy.component} is not there yet: the policy is checked and nothing is backed up`;
      found.push({ policy: policy.name, name: "engine", ok: true, detail, next: "" });
      continue;
    }
    world.step(`looking at ${policy.name}`);
    found.push(...(await diagnoseStore(world, policy)), ...(await diagnoseSource(world, policy)));
  }
  return found;
}

async function diagnoseStore(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  const name = `store ${policy.store.name}/${policy.store.prefix}`;
  try {
    const repository = await world.repository(policy);
    const facts = await repository.identity();
    const next =
      facts.identity === "foreign"
        ? "another cluster or policy owns this prefix; name another one"
        : facts.identity === "missing"
          ? "fine before the first run; holdfast apply writes the marker"
          : facts.identity === "unreachable"
            ? "check endpoint, credentials and network"
            : "";
    const ok = facts.identity === "ours" || facts.identity === "missing";
    const found: Diagnosis[] = [
      { policy: policy.name, name, ok, detail: `marker ${facts.identity} ${facts.detail}`.trim(), next },
    ];
    if (!ok) return found;
    const catalogue = await repository.catalogue();
    found.push({
      policy: policy.name,
      name: "catalogue",
      ok: catalogue.complete && catalogue.unreadable.length === 0,
      detail: [
        count(catalogue.points.length, "point"),
        ...catalogue.remarks,
        ...catalogue.unreadable.map((u) => `${u.id}: ${u.reason}`),
      ].join("; "),
      next:
        catalogue.unreadable.length > 0
          ? "holdfast verify names the damage; unreadable points are never deleted"
          : "",
    });
    return found;
  } catch (error) {
    return [failed(policy, name, error)];
  }
}

async function diagnoseSource(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  try {
    const facts = await world.withContext(policy, {}, (context) => world.engine(policy).probe(context));
    if (!facts.reachable) {
      return [
        {
          policy: policy.name,
          name: "source",
          ok: false,
          detail: facts.detail,
          next: "check address, user, password and pg_hba-like rules",
        },
      ];
    }
    const tools = Object.entries(facts.tools).map(([tool, version]) => `${tool} ${version}`);
    return [
      {
        policy: policy.name,
        name: "source",
        ok: true,
        detail: [`version ${facts.version}`, ...tools].join(", "),
        next: "",
      },
      ...facts.drift.map((d) => ({
        policy: policy.name,
        name: `setting ${d.setting}`,
        ok: d.severity !== "critical",
        detail: `is ${d.found}, wanted ${d.wanted}: ${d.consequence}`,
        next: d.mend,
      })),
    ];
  } catch (error) {
    return [failed(policy, "source", error)];
  }
}

function failed(policy: Policy, name: string, error: unknown): Diagnosis {
  if (!(error instanceof HoldfastError)) throw error;
  return {
    policy: policy.name,
    name,
    ok: false,
    detail: `${error.code}: ${error.message}`,
    next: error.hint,
  };
}
