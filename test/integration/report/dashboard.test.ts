/** A real Prometheus scrapes what is served, and every panel of the dashboard gets a value from it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PolicyMetrics, renderMetrics } from "../../../src/report/metrics.ts";
import type { Condition } from "../../../src/state/health.ts";
import type { Run } from "../../../src/state/job.ts";
import { freePort } from "../../servers/ports.ts";
import { killed, until } from "../../servers/waiting.ts";
import { queries } from "../../unit/report/dashboard-panels.ts";
import { health, nowMs } from "../../unit/report/fixtures.ts";

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

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
const untried: Condition = {
  kind: "escrow-unproven",
  policy: "redis",
  severity: "warning",
  message: "m",
  hint: "h",
};
const policies: readonly PolicyMetrics[] = [
  {
    health: health(),
    lastSuccess: run,
    lastRun: run,
    log: { behindBytes: 5, retainedBytes: 6, limitBytes: 12, lost: false, idle: false },
  },
  { health: health({ policy: "redis", component: "redis", proof: "unproven", conditions: [untried] }) },
];

describe("the Grafana dashboard on a real Prometheus", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-prometheus-"));
  let metrics: Server;
  let prometheus: ChildProcess;
  let port: number;

  const ask = async (query: string): Promise<readonly Sample[]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { status, data, error } = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: readonly Sample[] };
    };
    expect(`${status} ${error ?? ""}`.trim()).toBe("success");
    return data?.result ?? [];
  };

  beforeAll(async () => {
    const text = await renderMetrics({
      cluster: "bud-prod",
      version: "0.1.0",
      nowMs,
      policies,
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
    });
    metrics = createServer((_, response) => response.end(text));
    await new Promise<void>((resolve) => metrics.listen(0, "127.0.0.1", resolve));
    port = await freePort();
    const target = `127.0.0.1:${(metrics.address() as AddressInfo).port}`;
    const config = join(folder, "prometheus.yml");
    writeFileSync(
      config,
      `scrape_configs:\n  - job_name: holdfast\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    static_configs: [{ targets: ["${target}"] }]\n`,
    );
    prometheus = spawn(
      "prometheus",
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error",
      ],
      { stdio: "ignore" },
    );
    await until(async () => (await ask("up == 1").catch(() => [])).length > 0, 60_000);
  }, 90_000);
  afterAll(async () => {
    await killed(prometheus);
    metrics.closeAllConnections();
    await new Promise((resolve) => metrics.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(queries)("has a value for '$panel': $expr", async ({ expr }) => {
    expect((await ask(expr)).length).toBeGreaterThan(0);
  });

  it("shows each policy with its proof, and how many have an untried key", async () => {
    const proof = queries.find((q) => q.panel === "Proof of each policy")?.expr ?? "";
    expect((await ask(proof)).map(({ metric, value }) => [metric["policy"], value[1]]).sort()).toEqual([
      ["postgresql", "0"],
      ["redis", "2"],
    ]);
    const unproved = queries.find((q) => q.panel === "Policies not proved")?.expr ?? "";
    expect((await ask(unproved)).map(({ value }) => value[1])).toEqual(["1"]);
    const escrow = queries.find((q) => q.panel === "Escrow keys untried")?.expr ?? "";
    expect((await ask(escrow)).map(({ value }) => value[1])).toEqual(["1"]);
  });
});
