/** The metrics say what is known and nothing else; the page, the alerts and the code name the same ones. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type MetricsInput, metricFacts, renderMetrics } from "../../../src/report/metrics.ts";
import type { Run } from "../../../src/state/job.ts";
import { health, nowMs } from "./fixtures.ts";

const run: Run = {
  key: "postgresql/capture",
  policy: "postgresql",
  kind: "capture",
  slotAt: "2026-11-22T02:00:00.000Z",
  startedAt: "2026-11-22T02:00:01.000Z",
  finishedAt: "2026-11-22T02:04:01.000Z",
  outcome: "succeeded",
  exitStatus: 0,
  filesCount: 3,
};
const input: MetricsInput = {
  cluster: "bud-prod",
  version: "0.1.0",
  nowMs,
  policies: [
    {
      health: health(),
      lastSuccess: run,
      lastRun: run,
      log: { behindBytes: 5, retainedBytes: 6, limitBytes: 7, lost: false, idle: false },
    },
  ],
  brokenPolicies: [],
  up: true,
  lastPollAt: "2026-11-22T05:11:00.000Z",
  lastPollOk: true,
  appliedRevision: "4c2d9a1",
  lastAppliedAt: "2026-11-22T05:00:00.000Z",
  lastReportAt: "2026-11-16T05:00:00.000Z",
  isReportOverdue: false,
  isReviewMissing: false,
  undeliveredCount: 0,
};
const labels = '{policy="postgresql",component="postgresql"}';

function namesIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/\b(?:backup|holdfast)_[a-z_]+\b/g)].map((m) => m[0]))].sort();
}

describe("metrics", () => {
  it("has the strategy's four names with policy and component", async () => {
    const text = await renderMetrics(input);
    expect(text).toContain(
      `backup_last_success_timestamp${labels} ${Date.parse("2026-11-22T02:04:01.000Z") / 1000}\n`,
    );
    expect(text).toContain(`backup_size_bytes${labels} ${9 * 1024 ** 3}\n`);
    expect(text).toContain(`backup_duration_seconds${labels} 240\n`);
    expect(text).toContain(`backup_files_count${labels} 3\n`);
    expect(text).toContain("holdfast_all_well 1\n");
    expect(text).toContain("holdfast_report_overdue 0\n");
    expect(await renderMetrics(input)).toBe(text);
  });

  it("gives a value to each metric of its table", async () => {
    const values = (await renderMetrics(input)).split("\n").filter((line) => !line.startsWith("#"));
    for (const name of Object.keys(metricFacts))
      expect(
        values.some((v) => v.split(/[{ ]/)[0] === name),
        name,
      ).toBe(true);
  });

  it("leaves out what is not known instead of saying 0", async () => {
    const {
      newest: _,
      exposureSeconds: __,
      ...nothing
    } = health({ proof: "unproven", measured: {}, checks: [] });
    const text = await renderMetrics({
      cluster: "c",
      version: "0",
      nowMs,
      policies: [{ health: nothing }],
      brokenPolicies: [],
      up: false,
    });
    expect(text).not.toMatch(/^backup_last_success_timestamp\{/m);
    expect(text).not.toMatch(/^holdfast_rpo_measured_seconds\{/m);
    expect(text).not.toMatch(/^holdfast_last_poll_timestamp_seconds /m);
    expect(text).toContain(`holdfast_exposure_seconds${labels} +Inf\n`);
    expect(text).toContain("holdfast_all_well 0\n");
    expect(text).toContain("holdfast_up 0\n");
  });

  it("says a lost or failed run without an exit status is no success", async () => {
    for (const lastRun of [
      { ...run, outcome: "lost" as const },
      { ...run, outcome: "failed" as const, exitStatus: 0 },
    ]) {
      const text = await renderMetrics({ ...input, policies: [{ health: health(), lastRun }] });
      expect(text).toContain(`holdfast_backup_last_exit_status${labels} 255\n`);
    }
  });

  it("counts conditions and keeps the alerted ones at 0", async () => {
    const condition = {
      kind: "backup-failed",
      policy: "postgresql",
      severity: "critical",
      message: "m",
      hint: "h",
    } as const;
    const text = await renderMetrics({
      ...input,
      policies: [{ health: health({ conditions: [condition] }) }],
      brokenPolicies: ["redis"],
    });
    expect(text).toContain('kind="backup-failed",severity="critical"} 1\n');
    expect(text).toContain('kind="verification-failed",severity="critical"} 0\n');
    expect(text).toContain('holdfast_policy_broken{policy="redis"} 1\n');
    expect(text).toContain("holdfast_all_well 0\n");
  });

  it("is text that promtool takes, but for the one name the strategy fixed", async () => {
    const said = spawnSync("promtool", ["check", "metrics"], {
      input: await renderMetrics(input),
      encoding: "utf8",
    });
    expect(said.stderr.trim()).toMatch(/^backup_files_count .* should not have "_count" suffix$/);
  });
});

describe("documents beside the metrics", () => {
  it("docs/observability.md names every metric and no other", () => {
    expect(namesIn(readFileSync("docs/observability.md", "utf8"))).toEqual(Object.keys(metricFacts).sort());
  });

  it("each alert fires from one metric that exists", () => {
    const rules = readFileSync("deploy/prometheus/holdfast-alerts.yaml", "utf8");
    const expressions = [...rules.matchAll(/expr: (.*)/g)].map((m) => m[1] ?? "");
    expect(expressions.length).toBeGreaterThanOrEqual(6);
    for (const expression of expressions) {
      const names = namesIn(expression);
      expect(names, expression).toHaveLength(1);
      expect(Object.keys(metricFacts)).toContain(names[0]);
    }
  });

  it("the alert rules hold and fire as they should", () => {
    const cwd = "deploy/prometheus";
    execFileSync("promtool", ["check", "rules", "holdfast-alerts.yaml"], { cwd, stdio: "pipe" });
    execFileSync("promtool", ["test", "rules", "holdfast-alerts.test.yaml"], { cwd, stdio: "pipe" });
  });
});
