/** What is wrong with this set-up: programs, keys, room, store and source, each finding with the next step. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Check } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { Codec, Policy } from "../policy/model.ts";
import { count } from "../report/units.ts";
import { roomFor, shortages } from "./room.ts";
import type { World } from "./world.ts";

export interface Diagnosis extends Check {
  readonly policy: string;
  /** What to do, a command line where there is one; empty when all is well. */
  readonly next: string;
}

/** Looks at every policy. Changes nothing, and never throws for what it finds. */
export async function diagnose(world: World): Promise<readonly Diagnosis[]> {
  const found: Diagnosis[] = [];
  for (const policy of world.set.policies) {
    if (!world.hasEngine(policy)) {
      const detail = `the engine for ${policy.component} is not there yet: the policy is checked and nothing is backed up`;
      found.push({
        policy: policy.name,
        name: "engine",
        ok: false,
        detail,
        next: "nothing can be done here; suspend the policy, or back the component up by other means",
      });
      continue;
    }
    world.step(`looking at ${policy.name}`);
    found.push(
      ...(await diagnosePrograms(world, policy)),
      ...(await attempt(policy, "key", () => diagnoseKeys(world, policy))),
      ...(await attempt(policy, storeName(policy), () => diagnoseStore(world, policy))),
      ...(await attempt(policy, "source", () => diagnoseSource(world, policy))),
    );
  }
  return found;
}

const codecPrograms: Readonly<Record<Codec, readonly string[]>> = {
  none: [],
  gzip: ["gzip"],
  zstd: ["zstd"],
};

async function diagnosePrograms(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  const codecs = codecPrograms[policy.capture.codec].map((name) => ({
    name,
    places: [],
    without: "captures and restores",
    install: `apt-get install ${name}`,
  }));
  const engine = await world.engine(policy);
  const needs = [...(engine.programs?.(policy) ?? []), ...codecs];
  const there: string[] = [];
  const missing: Diagnosis[] = [];
  for (const { name, places, without, install } of needs) {
    if ((await world.machine.find(name, places)) !== undefined) there.push(name);
    else {
      const detail = `'${name}' is not on this machine; without it: no ${without}`;
      missing.push({ policy: policy.name, name: "programs", ok: false, detail, next: install });
    }
  }
  if (missing.length > 0 || there.length === 0) return missing;
  return [{ policy: policy.name, name: "programs", ok: true, detail: there.join(", "), next: "" }];
}

/** Captures need public keys alone; a machine that restores or proves needs a private one. */
async function diagnoseKeys(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  const { recipients } = policy.encryption;
  if (recipients.length === 0) return [];
  const mine = await world.machine.recipients();
  const opens = recipients.filter((name) => {
    const key = world.set.keys.find((k) => k.name === name)?.recipient;
    return key !== undefined && mine.includes(key);
  });
  const ok = opens.length > 0;
  const detail = ok
    ? `opens as ${opens.join(", ")}`
    : mine.length === 0
      ? "no private key was given: captures work, restores and proofs do not"
      : `the private key given is none of ${recipients.join(", ")}: restores and proofs do not work`;
  const next = ok ? "" : "holdfast doctor --identity FILE, or HOLDFAST_IDENTITY=FILE in the environment";
  return [{ policy: policy.name, name: "key", ok, detail, next }];
}

function storeName(policy: Policy): string {
  return `store ${policy.store.name}/${policy.store.prefix}`;
}

const identityNext = {
  ours: "",
  foreign: "another cluster or policy owns this prefix; name another one",
  missing: "fine before the first run; holdfast apply writes the marker",
  unreachable: "check endpoint, credentials and network",
} as const;

async function diagnoseStore(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  const repository = await world.repository(policy);
  const { identity, detail } = await repository.identity();
  const ok = identity === "ours" || identity === "missing";
  const store: Diagnosis = {
    policy: policy.name,
    name: storeName(policy),
    ok,
    detail: `marker ${identity} ${detail}`.trim(),
    next: identityNext[identity],
  };
  const missing = repository.missingCredentials().map((error): Diagnosis => {
    const detail = `${error.code}: ${error.message}`;
    return { policy: policy.name, name: storeName(policy), ok: false, detail, next: error.hint };
  });
  if (!ok) return [store, ...missing];
  const catalogue = await repository.catalogue();
  return [
    store,
    ...missing,
    diagnoseCatalogue(policy, catalogue),
    ...(await diagnoseRoom(world, policy, catalogue)),
  ];
}

function diagnoseCatalogue(policy: Policy, catalogue: Catalogue): Diagnosis {
  const { points, remarks, unreadable } = catalogue;
  return {
    policy: policy.name,
    name: "catalogue",
    ok: catalogue.complete && unreadable.length === 0,
    detail: [
      count(points.length, "point"),
      ...remarks,
      ...unreadable.map((u) => `${u.id}: ${u.reason}`),
    ].join("; "),
    next:
      unreadable.length > 0 ? "holdfast verify names the damage; unreadable points are never deleted" : "",
  };
}

/** Whether the newest point could be restored and started here, as the next drill will. */
async function diagnoseRoom(
  world: World,
  policy: Policy,
  { points }: Catalogue,
): Promise<readonly Diagnosis[]> {
  const newest = points.at(-1)?.manifest;
  if (newest === undefined) return [];
  const parents = points.map((p) => p.manifest).filter((m) => newest.parents.includes(m.id));
  const folder = world.machine.workFolder;
  const short = await shortages(world.machine, roomFor([newest, ...parents]), folder, true);
  const ok = short.length === 0;
  const detail = ok ? `for a drill of ${newest.id}` : short.join("; ");
  const next = ok ? "" : "make room, or run with --state on a larger disk";
  return [{ policy: policy.name, name: "room", ok, detail, next }];
}

async function diagnoseSource(world: World, policy: Policy): Promise<readonly Diagnosis[]> {
  const facts = await world.withContext(policy, {}, async (context) =>
    (await world.engine(policy)).probe(context),
  );
  if (!facts.reachable) {
    const next = "check address, user, password and the server's own rules of access";
    return [{ policy: policy.name, name: "source", ok: false, detail: facts.detail, next }];
  }
  const tools = Object.entries(facts.tools).map(([tool, version]) => `${tool} ${version}`);
  const detail = [`version ${facts.version}`, ...tools].join(", ");
  return [
    { policy: policy.name, name: "source", ok: true, detail, next: "" },
    ...facts.drift.map((d) => ({
      policy: policy.name,
      name: `setting ${d.setting}`,
      ok: d.severity !== "critical",
      detail: `is ${d.found}, wanted ${d.wanted}: ${d.consequence}`,
      next: d.mend,
    })),
  ];
}

async function attempt(
  policy: Policy,
  name: string,
  look: () => Promise<readonly Diagnosis[]>,
): Promise<readonly Diagnosis[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const detail = `${error.code}: ${error.message}`;
    return [{ policy: policy.name, name, ok: false, detail, next: error.hint }];
  }
}
