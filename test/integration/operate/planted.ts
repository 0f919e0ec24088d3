/** Something in no backup is planted at a real source: it is found by name, quiet under a waiver, found again after it. */
import { expect } from "vitest";
import { type Coverage, isAllCovered } from "../../../src/health/coverage.ts";
import { coverageOf, lookAround } from "../../../src/operate/look-around.ts";
import type { World } from "../../../src/operate/world.ts";
import type { CoverageWaiver, Policy, StoreSettings } from "../../../src/policy/model.ts";
import { openWorld } from "../../servers/world.ts";

export interface Planted {
  /** The first is the one with the waivers. */
  readonly policies: readonly [Policy, ...Policy[]];
  readonly stores?: readonly StoreSettings[];
  /** `kind/name` of each thing that no policy takes, sorted. */
  readonly uncovered: readonly string[];
  /** Some of what is taken. */
  readonly covered: readonly string[];
  readonly setAside?: readonly string[];
  /** Changes of every policy by which nothing answers. */
  readonly unreachable: Partial<Policy>;
}

function waivers(items: readonly string[], until: string): Pick<Policy, "coverage"> {
  const waiver = (item: string): CoverageWaiver => ({ item, reason: "planted", owner: "tests", until });
  return { coverage: { severity: "warning", waivers: items.map(waiver) } };
}

const dayMs = 86_400_000;

/** Resolves with the coverage without a waiver. */
export async function findsWhatIsPlanted(planted: Planted): Promise<Coverage> {
  const [first, ...others] = planted.policies;
  const test = await openWorld(first);
  // One instant for all looks: what is waived until today is judged today, also around midnight.
  const nowMs = Date.now();
  const dateIn = (days: number): string => new Date(nowMs + days * dayMs).toISOString().slice(0, 10);
  const look = async (change: (policy: Policy, index: number) => Policy): Promise<Coverage> => {
    const policies = [first, ...others].map(change);
    const stores = [...test.world.set.stores, ...(planted.stores ?? [])];
    const set = { ...test.world.set, policies, stores };
    const world: World = Object.assign(Object.create(test.world) as World, { set });
    const looks = await lookAround(world, { deadlineMs: 30_000 });
    const { clock } = world;
    const then = { nowMs: () => nowMs, wait: clock.wait.bind(clock) };
    return coverageOf(Object.assign(Object.create(world) as World, { clock: then }), looks);
  };
  const named = (coverage: Coverage, kind: string): readonly string[] =>
    coverage.items.filter((i) => i.class === kind).map((i) => i.item);
  const waived = (until: string) =>
    look((policy, index) => (index === 0 ? { ...policy, ...waivers(planted.uncovered, until) } : policy));
  try {
    const found = await look((policy) => policy);
    expect(found.unknown).toEqual([]);
    expect(named(found, "uncovered").toSorted()).toEqual(planted.uncovered);
    expect(named(found, "covered")).toEqual(expect.arrayContaining([...planted.covered]));
    expect(named(found, "set-aside")).toEqual(expect.arrayContaining([...(planted.setAside ?? [])]));
    const quiet = await waived(dateIn(0));
    expect(named(quiet, "waived").toSorted()).toEqual(planted.uncovered);
    expect(isAllCovered(quiet)).toBe(true);
    const again = await waived(dateIn(-1));
    expect(named(again, "uncovered").toSorted()).toEqual(planted.uncovered);
    for (const item of again.items.filter((i) => i.class === "uncovered"))
      expect(item.waiver?.until).toBe(dateIn(-1));
    const away = await look((policy) => ({ ...policy, ...planted.unreachable }));
    expect(away.items).toEqual([]);
    expect(away.unknown.map((u) => u.policy)).toEqual(planted.policies.map((p) => p.name));
    for (const { cause } of away.unknown) expect(cause).not.toBe("");
    return found;
  } finally {
    await test.close();
  }
}
