/** Conditions come and go; the journal has each episode once, over restarts too. */
import { describe, expect, it } from "vitest";
import { episodesByPolicy, openConditionJournal } from "../../../src/operate/condition-journal.ts";
import type { Condition } from "../../../src/state/health.ts";

function condition(policy: string, change: Partial<Condition> = {}): Condition {
  return { kind: "rpo-missed", policy, severity: "critical", message: "too much", hint: "", ...change };
}

/** What a world keeps of a journal; the clock goes on a minute with each look. */
function placeOf() {
  const lines: string[] = [];
  let nowMs = Date.parse("2026-11-20T00:00:00.000Z");
  return {
    lines,
    clock: {
      nowMs: () => {
        nowMs += 60_000;
        return nowMs;
      },
      wait: async () => undefined,
    },
    remember: async (_: string, value: object) => {
      lines.push(JSON.stringify(value));
    },
    recall: async <T>() => lines.map((line) => JSON.parse(line) as T),
  };
}

describe("the journal of conditions", () => {
  it("has an episode from the first look to the one that saw it no more, also over a restart", async () => {
    const world = placeOf();
    const first = openConditionJournal();
    await first.note(world, []);
    await first.note(world, [condition("redis"), condition("redis", { message: "another of its kind" })]);
    await first.note(world, [condition("redis", { message: "more by now" }), condition("mongodb")]);
    const second = openConditionJournal();
    await second.note(world, [condition("redis")]);
    await second.note(world, [condition("redis", { kind: "store-unreachable" })]);
    expect(world.lines).toHaveLength(5);
    expect((await episodesByPolicy(world, "2026-11-20T00:00:00.000Z")).get("redis")).toEqual([
      {
        kind: "rpo-missed",
        severity: "critical",
        message: "too much",
        fromAt: "2026-11-20T00:02:00.000Z",
        toAt: "2026-11-20T00:05:00.000Z",
      },
      {
        kind: "store-unreachable",
        severity: "critical",
        message: "too much",
        fromAt: "2026-11-20T00:05:00.000Z",
      },
    ]);
    expect((await episodesByPolicy(world, "2026-11-20T00:04:30.000Z")).get("mongodb")).toBeUndefined();
    expect((await episodesByPolicy(world, "2026-11-20T00:05:30.000Z")).get("redis")).toHaveLength(1);
  });

  it("leaves out what is no failure", async () => {
    const world = placeOf();
    const kinds = ["unproven", "engine-missing", "suspended"] as const;
    await openConditionJournal().note(world, [
      ...kinds.map((kind) => condition("redis", { kind })),
      condition("redis", { kind: "source-drift", severity: "info" }),
    ]);
    expect(world.lines).toEqual([]);
  });
});
