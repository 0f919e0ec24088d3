/** A proof must be renewed before it is too old, on every day of every year. */
import { describe, expect, it } from "vitest";
import { changedFields } from "../../../src/plan/changed.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import type { CheckRequirement, PolicySet, ProofLevel } from "../../../src/policy/model.ts";
import { concerns, type Job } from "../../../src/state/job.ts";
import { parseCron, widestGapMs } from "../../../src/time/cron.ts";
import { dayMs, nowMs, policy } from "../report/fixtures.ts";

const hourMs = 3_600_000;

function verifications(
  rows: readonly (readonly [ProofLevel, number])[],
  name = "postgresql",
): readonly Job[] {
  const checks: CheckRequirement[] = rows.map(([level, everyMs]) => ({
    name: `level ${level}`,
    level,
    everyMs,
    automated: "yes",
  }));
  const subject = policy({
    name,
    verification: { name: "standard", minimumSizeRatio: 0.8, escrowEveryMs: 1, checks },
  });
  const set: PolicySet = {
    policies: [subject],
    stores: [],
    keys: [],
    retention: [],
    checklists: [],
    alerts: [],
    receivers: [],
    waivers: [],
  };
  return desiredJobs(set, ["postgresql"]).jobs.filter((j) => j.kind === "verify");
}

function gapMs(job: Job | undefined): number {
  if (job?.schedule.kind !== "cron") throw new Error("no cron");
  const cron = parseCron(job.schedule.cron);
  if ("error" in cron) throw new Error(`${job.schedule.cron}: ${cron.error}`);
  return widestGapMs(cron, job.schedule.timeZone, nowMs, 800);
}

describe("verification jobs", () => {
  it.each(
    [1, 2, 3, 6, 12, 24, 36, 48, 72, 168, 240, 336, 500, 672, 720, 744, 1488, 2208, 8784].map(
      (h) => h * hourMs,
    ),
  )("asked for every %i ms they run with time to spare, whatever the hash", (everyMs) => {
    for (let n = 0; n < 150; n += 1) {
      const [job] = verifications([[4, everyMs]], `policy-${n}`);
      expect(gapMs(job), JSON.stringify(job?.schedule)).toBeLessThanOrEqual(everyMs * 0.6);
    }
  });

  it("leave out a level that a higher one proves as often", () => {
    const standard = verifications([
      [0, dayMs],
      [1, dayMs],
      [2, 7 * dayMs],
      [3, 7 * dayMs],
      [4, 7 * dayMs],
      [5, 31 * dayMs],
    ]);
    expect(standard.map((j) => j.key)).toEqual([
      "postgresql/verify-1",
      "postgresql/verify-4",
      "postgresql/verify-5",
    ]);
    expect(
      verifications([
        [0, dayMs],
        [5, 31 * dayMs],
      ]).map((j) => j.key),
    ).toEqual(["postgresql/verify-0", "postgresql/verify-5"]);
  });

  it("make one job of the whole stack, as often as the most demanding asks", () => {
    const asking = (name: string, everyMs: number) =>
      policy({
        name,
        verification: {
          name: "standard",
          minimumSizeRatio: 0.8,
          escrowEveryMs: 90 * dayMs,
          checks: [{ name: "whole stack", level: 6, everyMs, automated: "yes" }],
        },
      });
    const set = {
      stores: [],
      policies: [asking("b", 31 * dayMs), asking("a", 7 * dayMs), policy({ name: "c" })],
      reconciler: {
        name: "house",
        platform: { kind: "local" },
        reports: { cron: "0 6 * * 1", timeZone: "Etc/UTC" },
      },
    } as unknown as PolicySet;
    const [job, ...more] = desiredJobs(set, ["postgresql"]).jobs.filter((j) => j.argv.includes("--all"));
    expect(more).toEqual([]);
    expect(job).toMatchObject({ key: "house/verify-6", policies: ["a", "b"], argv: ["verify", "--all"] });
    expect(gapMs(job)).toBeLessThanOrEqual(7 * dayMs * 0.6);
    expect([concerns({ policy: "house", policies: ["a"] }, "a"), concerns({ policy: "house" }, "a")]).toEqual(
      [true, false],
    );
    if (job === undefined) throw new Error("no job of the whole stack");
    const without = { ...set, policies: set.policies.filter((p) => p.name !== "b") };
    const [fewer] = desiredJobs(without, ["postgresql"]).jobs.filter((j) => j.argv.includes("--all"));
    expect(changedFields(job, fewer ?? job)).toContain("policies");
    expect(changedFields(job, { ...job })).toEqual([]);
    const quiet = { ...set, policies: [policy({ name: "c" })] };
    expect(desiredJobs(quiet, ["postgresql"]).jobs.some((j) => j.argv.includes("--all"))).toBe(false);
  });

  it("spread over the hours", () => {
    const crons = Array.from({ length: 200 }, (_, n) => verifications([[1, dayMs]], `p${n}`)[0]?.schedule);
    expect(new Set(crons.map((c) => JSON.stringify(c))).size).toBeGreaterThan(150);
  });
});
