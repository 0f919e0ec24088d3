import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "../../src/log.ts";
import { openLocalPlatform } from "../../src/platform/local/local.ts";
import { systemClock } from "../../src/time/clock.ts";
import { platformConformance } from "./platform.ts";

platformConformance("local", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-platform-"));
  const platform = openLocalPlatform({
    stateDirectory: folder,
    clock: systemClock,
    log: silent,
    argv: ["sh", "-c"],
    maxParallelRuns: 4,
  });
  const linesOf = (key: string) => join(folder, `${key.replaceAll("/", "-")}.lines`);
  return {
    platform,
    job: (key, { ms = 0, exitStatus = 0, group = key, deadlineMs = 60_000 } = {}) => ({
      key,
      policy: "p",
      kind: "capture",
      schedule: { kind: "once" },
      argv: [`echo run >> ${linesOf(key)}; sleep ${ms / 1000}; exit ${exitStatus}`],
      deadlineMs,
      suspended: false,
      group,
    }),
    runsOf: async (key) => readFileSync(linesOf(key), "utf8").trim().split("\n").length,
    tamper: async (key) => {
      const path = join(folder, "jobs", `${key.replaceAll("/", "~")}.json`);
      const stored = JSON.parse(readFileSync(path, "utf8"));
      stored.job.deadlineMs += 1;
      writeFileSync(path, JSON.stringify(stored));
    },
    close: async () => {
      await platform.stop(1000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
