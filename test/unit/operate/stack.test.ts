/** The whole stack: its order, its instant, and what cannot come along. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { HoldfastError } from "../../../src/errors.ts";
import type { PolicyFacts } from "../../../src/health/time-travel.ts";
import { inRestoreOrder, planStack } from "../../../src/operate/stack.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { renderStackRestore, renderStackVerdicts } from "../../../src/report/stack-text.ts";
import { plainPaint } from "../../../src/report/text-table.ts";
import { archive, basePoint, catalogueOf, minuteMs, run, startMs } from "../recovery/fixtures.ts";
import { policy, verdict } from "../report/fixtures.ts";

const at = (minute: number): number => startMs + minute * minuteMs;
const log = { mode: "stream" } as unknown as NonNullable<Policy["log"]>;
const text = { columns: 160, paint: plainPaint };

function database(last: number): PolicyFacts {
  const points = [basePoint("00000001", 5)];
  return {
    policy: policy({ log }),
    catalogue: catalogueOf(points, archive(run("00000001", 0, last))),
  };
}

function without(name: string, component: Policy["component"], minute: number): PolicyFacts {
  const { log: _, ...manifest } = basePoint("00000001", minute, { policy: name, component }).manifest;
  const point = { ...basePoint("00000001", minute), manifest };
  return { policy: policy({ name, component }), catalogue: { ...catalogueOf([point]), policy: name } };
}

describe("the whole stack", () => {
  it("comes back secrets first, then databases, objects and the cluster", () => {
    const kinds = ["kubernetes", "s3", "redis", "secrets", "postgresql", "clickhouse", "mongodb"] as const;
    const rows = kinds.map((component) => ({ policy: policy({ name: component, component }) }));
    expect(inRestoreOrder(rows).map((r) => r.policy.name)).toEqual([
      "secrets",
      "postgresql",
      "mongodb",
      "redis",
      "clickhouse",
      "s3",
      "kubernetes",
    ]);
  });

  it("goes to the instant itself, or to the last one the shortest log reaches", () => {
    const facts = [without("redis", "redis", 8), database(50)];
    const plan = planStack(facts, at(20));
    expect(plan).toMatchObject({ at: instant(at(20)), leftOut: [] });
    expect(plan.members.map((m) => [m.policy.name, m.stateAt])).toEqual([
      ["postgresql", instant(at(20))],
      ["redis", instant(at(7.5))],
    ]);
    expect(plan.spreadSeconds).toBe(750);
    const later = planStack(facts, at(500));
    expect(Date.parse(later.at)).toBeLessThan(at(60));
    expect(Date.parse(later.at)).toBeGreaterThan(at(45));
  });

  it("leaves out by name what has nothing that far back, or no catalogue", () => {
    const facts: PolicyFacts[] = [
      database(50),
      without("redis", "redis", 30),
      { policy: policy({ name: "vault", component: "secrets" }), failure: "the store is away" },
    ];
    const { members, leftOut } = planStack(facts, at(20));
    expect(members.map((m) => m.policy.name)).toEqual(["postgresql"]);
    expect(leftOut.map((l) => l.policy.name)).toEqual(["vault", "redis"]);
    expect(leftOut[0]?.failure).toBe("the store is away");
    expect(leftOut[1]?.failure).not.toBe("");
  });

  it("throws when nothing goes back that far", () => {
    expect(() => planStack([database(50)], at(-100))).toThrow(HoldfastError);
    expect(() => planStack([], at(0))).toThrow(HoldfastError);
  });

  it("names each reason for which a catalogue is not known, when nothing can come back", () => {
    const failure = "the secret in variable READ_KEY is not there";
    const unknown = ["redis", "vault"].map((name) => ({ policy: policy({ name }), failure }));
    expect(() => planStack([...unknown, database(50)], at(-100))).toThrow(`; redis, vault: ${failure}`);
  });

  it("says last whether it is back, and names what is not", () => {
    const row = {
      policy: "postgresql",
      ok: true,
      point: "20261120T120430Z",
      stateAt: instant(at(20)),
      directory: "/srv/all/postgresql",
      startCommand: "pg_ctl start",
      restoredBytes: 1000,
      durationMs: 1500,
      checks: [],
      failure: null,
    };
    const bad = {
      ...row,
      policy: "redis",
      ok: false,
      startCommand: null,
      checks: [{ name: "restore", ok: false, detail: "no room" }],
    };
    const base = { at: instant(at(20)), spreadSeconds: 0, durationMs: 3000 };
    const good = renderStackRestore({ ...base, ok: true, policies: [row] }, text).split("\n");
    expect(good.at(-1)).toContain("the whole stack is back");
    expect(good.join()).toContain("pg_ctl start");
    const told = renderStackRestore({ ...base, ok: false, policies: [row, bad] }, text);
    expect(told).toContain("redis: restore: no room");
    expect(told).toContain("1 of 2 are back");
  });

  it("never shows a stack as proved of which a part failed", () => {
    const whole = { name: "whole stack", ok: false, detail: "redis did not come back" };
    const verdicts = [
      { ...verdict(at(1), 5, { asked: 6, ok: false }), checks: [whole] },
      {
        ...verdict(at(1), 1, { asked: 6, ok: false, policy: "redis" }),
        checks: [{ name: "checksum", ok: false, detail: "a byte" }, whole],
      },
    ];
    const told = renderStackVerdicts({ ok: false, at: instant(at(20)), verdicts }, text);
    expect(told).toContain("NOT proved");
    expect(told).toContain("FAIL redis: checksum: a byte");
    expect(told).toContain("next: holdfast verify redis --level 5");
  });
});
