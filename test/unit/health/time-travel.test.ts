/** An instant of the past: what existed counts then, what came later counts now, and both are said. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import type { PoliciesThen, PolicyFacts } from "../../../src/health/time-travel.ts";
import { timeTravel } from "../../../src/health/time-travel.ts";
import type { Policy, PolicySet } from "../../../src/policy/model.ts";
import { plainPaint } from "../../../src/report/text-table.ts";
import { renderTimeTravel } from "../../../src/report/time-travel.ts";
import { archive, basePoint, catalogueOf, minuteMs, run, startMs } from "../recovery/fixtures.ts";
import { policy, verdict } from "../report/fixtures.ts";

const ms = (minute: number): number => startMs + minute * minuteMs;
const at = (minute: number): string => instant(ms(minute));
const log = { mode: "stream" } as unknown as NonNullable<Policy["log"]>;
const database = policy({ log });
const cache = policy({ name: "redis", component: "redis", store: { name: "primary", prefix: "redis/" } });

function known(policies: readonly Policy[], change: Partial<PoliciesThen> = {}): PoliciesThen {
  const set = { policies } as unknown as PolicySet;
  const revision = "0123456789abcdef";
  return { kind: "known", revision, committedAt: at(0), set, unreadableFiles: [], ...change } as PoliciesThen;
}

function databaseFacts(change: Partial<PolicyFacts> = {}): PolicyFacts {
  const base = { ...basePoint("00000001", 5), verdicts: [verdict(ms(9), 4), verdict(ms(40), 5)] };
  const next = { ...basePoint("00000001", 30), verdicts: [] };
  return {
    policy: database,
    catalogue: catalogueOf([base, next], archive(run("00000001", 0, 50))),
    ...change,
  };
}

function cacheFacts(): PolicyFacts {
  const { log: _, ...manifest } = basePoint("00000001", 8, { policy: "redis", component: "redis" }).manifest;
  const point = { ...basePoint("00000001", 8), manifest, verdicts: [] };
  return { policy: cache, catalogue: { ...catalogueOf([point]), policy: "redis" } };
}

describe("an instant of the past", () => {
  const travel = timeTravel([databaseFacts(), cacheFacts()], known([database, cache]), ms(20));
  const [first, second] = travel.policies;

  it("says what comes back, from what, and how well proved then and now", () => {
    expect(travel).toMatchObject({ ok: true, at: at(20), revision: "0123456789abcdef" });
    expect(first).toMatchObject({ inForce: "same", points: ["20261120T120430Z"], failure: null });
    expect(first?.restore).toMatchObject({
      point: "20261120T120430Z",
      stateAt: at(20),
      command: `holdfast restore postgresql --at ${at(20)} --to DIR`,
      proofThen: { level: 4, at: at(9) },
      proofNow: { level: 5, at: at(40) },
    });
    expect(second?.restore).toMatchObject({ stateAt: at(7.5), proofNow: { level: -1, at: null } });
  });

  it("says that together they are not of one instant, and of which they are", () => {
    expect(travel.together).toMatchObject({
      at: at(20),
      spreadSeconds: 750,
      sameInstantAt: at(7.5),
    });
    expect(travel.warnings).toEqual([
      `restored together they are not of one instant: 'redis' is of ${at(7.5)}, 'postgresql' of ${at(20)}; what refers from one to the other may point at nothing`,
    ]);
  });

  it("gives a point no proof of a time at which it was not stored", () => {
    const early = timeTravel([databaseFacts()], known([database]), ms(4.5));
    expect(early.policies[0]).toMatchObject({ points: [], checksThen: "unproven" });
    expect(early.policies[0]?.restore?.proofThen).toBeNull();
    expect(early.policies[0]?.restore?.proofNow.level).toBe(5);
  });

  it("goes back together only as far as the one that stops first, and says so", () => {
    const holed = databaseFacts({
      catalogue: catalogueOf([basePoint("00000001", 5)], archive(run("00000001", 0, 15))),
    });
    const short = timeTravel([holed, cacheFacts()], known([database, cache]), ms(20));
    expect(short.ok).toBe(false);
    expect(short.policies[0]?.failure).toContain("cannot be reached");
    expect(short.together?.at).toBe(at(15));
    expect(short.warnings[0]).toContain(`together only to ${at(15)}`);
  });

  it("knows no common instant while one store does not answer", () => {
    const away: PolicyFacts = { policy: cache, failure: "the store does not answer" };
    const hidden = timeTravel([databaseFacts(), away], known([database, cache]), ms(20));
    expect(hidden).toMatchObject({ ok: false, together: null });
    expect(hidden.policies[1]).toMatchObject({ restore: null, failure: "the store does not answer" });
  });

  it("compares the policy of then with today's", () => {
    const other = policy({ log, store: { name: "old", prefix: "pg/" }, owner: "somebody" });
    const removed = policy({ name: "mongodb" });
    const past = timeTravel([databaseFacts(), cacheFacts()], known([other, removed]), ms(20));
    expect(past.policies.map((p) => p.inForce)).toEqual(["changed", "absent"]);
    expect(past.policies[0]?.changed).toEqual(["owner", "store"]);
    expect(past.warnings.join("\n")).toMatch(/'mongodb' was in force then and is gone today/);
    expect(past.warnings.join("\n")).toMatch(/'postgresql' were kept in store 'old' under 'pg\/' then/);
    const broken = timeTravel([cacheFacts()], known([], { unreadableFiles: ["a.yaml"] } as never), ms(20));
    expect(broken.policies[0]?.inForce).toBe("unreadable");
    const unknown = timeTravel([cacheFacts()], { kind: "unknown", why: "no git" }, ms(20));
    expect(unknown.policies[0]?.inForce).toBe("unknown");
    expect(unknown.warnings[0]).toContain("are not known: no git");
  });

  it("judges the checklist of then, not today's", () => {
    const lax = {
      ...database.verification,
      checks: [{ name: "a", level: 2, everyMs: 1e9, automated: "yes" }],
    };
    const was = policy({ log, verification: lax as Policy["verification"] });
    const strict = { ...lax, checks: [{ name: "a", level: 5, everyMs: 1e9, automated: "yes" }] };
    const is = policy({ log, verification: strict as Policy["verification"] });
    const past = timeTravel([databaseFacts({ policy: is })], known([was]), ms(20)).policies[0];
    expect(past).toMatchObject({ changed: ["verification"], checksThen: "proved" });
    const today = timeTravel([databaseFacts({ policy: is })], known([is]), ms(20)).policies[0];
    expect(today).toMatchObject({ changed: [], checksThen: "unproven" });
  });

  it("takes a bucket back to any instant between its points, and another component only to them", () => {
    const { log: _, ...manifest } = basePoint("00000001", 30, { policy: "redis" }).manifest;
    const { catalogue } = cacheFacts();
    if (catalogue === undefined) throw new Error("no catalogue");
    const two = { ...catalogue, points: [...catalogue.points, { ...basePoint("00000001", 30), manifest }] };
    const stateOf = (is: Policy) =>
      timeTravel([{ policy: is, catalogue: two }], known([is]), ms(20)).policies[0]?.restore?.stateAt;
    expect(stateOf(policy({ name: "redis", component: "s3" }))).toBe(at(20));
    expect(stateOf(cache)).toBe(at(7.5));
  });

  it("is not fine without any policy", () => {
    expect(timeTravel([], known([]), ms(20))).toMatchObject({ ok: false, together: null });
  });
});

describe("its output", () => {
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
  addFormats.default(ajv);
  const schema = JSON.parse(readFileSync("schema/output/at.schema.json", "utf8"));
  const validate = ajv.compile({ ...schema, $id: undefined });
  const away: PolicyFacts = { policy: cache, failure: "away" };
  it.each([
    ["all well", [databaseFacts(), cacheFacts()], known([database, cache]), 20],
    ["too early", [databaseFacts()], known([]), 1],
    ["a store away", [databaseFacts(), away], { kind: "unknown", why: "no git" } as const, 20],
  ] as const)("fits its schema: %s", (_, facts, then, minute) => {
    const value = JSON.parse(JSON.stringify(timeTravel(facts, then, ms(minute)))) as Record<string, unknown>;
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    delete value["together"];
    expect(validate(value)).toBe(false);
  });

  it("is a table with the commands and the common instant under it", () => {
    const travel = timeTravel([databaseFacts(), cacheFacts()], known([database, cache]), ms(20));
    const text = renderTimeTravel(travel, { columns: 140, paint: plainPaint });
    expect(text).toMatch(/^2026-11-20 12:20Z, policies of commit 0123456789ab, 2026-11-20 12:00Z\n/);
    expect(text).toMatch(/\npostgresql +as today +1 +2026-11-20 12:20Z +20261120T120430Z +level 4 +level 5/);
    expect(text).toMatch(/\nredis +as today +1 +2026-11-20 12:07:30Z +20261120T120730Z +nothing +nothing/);
    expect(text).toContain(`holdfast restore redis --at ${at(20)} --to DIR`);
    expect(text).toContain(`together: 2 policies to ${at(20)}, states up to 12 min 30 s apart`);
    expect(text).toContain(`all of one instant: ${at(7.5)}`);
  });
});
