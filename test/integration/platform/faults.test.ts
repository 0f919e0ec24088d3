/** The local platform on bad days: killed at the worst moment, a disk that refuses, cron lines others cannot read. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Logger } from "../../../src/log.ts";
import { openLocalPlatform } from "../../../src/platform/local/local.ts";
import type { Job } from "../../../src/state/job.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { until } from "../../conformance/platform-runs.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-local-faults-"));
const left: ChildProcess[] = [];
afterAll(() => {
  for (const child of left) if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
let count = 0;

function place() {
  count += 1;
  const state = join(folder, `state-${count}`);
  const lines = join(folder, `lines-${count}`);
  const errors: string[] = [];
  const log: Logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (text, facts) => errors.push(`${text} ${JSON.stringify(facts)}`),
  };
  const open = (nowMs: () => number = () => Date.now()) =>
    openLocalPlatform({
      stateDirectory: state,
      clock: { ...systemClock, nowMs },
      log,
      argv: ["sh", "-c"],
      maxParallelRuns: 4,
    });
  const begun = (): readonly string[] => {
    try {
      return readFileSync(lines, "utf8").trim().split("\n");
    } catch {
      return [];
    }
  };
  return { state, lines, errors, open, begun };
}

function job(script: string, changes: Partial<Job> = {}): Job {
  return {
    key: "p/capture",
    policy: "p",
    kind: "capture",
    schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" },
    argv: [script],
    deadlineMs: 60_000,
    suspended: false,
    group: "p",
    ...changes,
  };
}

const yesterday = () => Date.parse("2026-11-22T12:00:00Z");
const today = () => Date.parse("2026-11-23T12:00:00Z");
const slotAt = "2026-11-23T02:00:00.000Z";

/** A process as a platform that was killed leaves it: leader of its group, marked, and nobody's child of ours. */
function orphan(mark: Record<string, string>, script: string): { readonly pid: number } {
  const child = spawn("sh", ["-c", script], {
    env: { ...process.env, ...mark },
    detached: true,
    stdio: "ignore",
  });
  left.push(child);
  return { pid: child.pid as number };
}

/** While a process becomes another program its environment cannot be read, and so its mark cannot be seen. */
const sleeps = (pid: number) => until(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep"));

/** A line of shell that goes on once the file is there. */
const waitsFor = (file: string): string => `while ! [ -e ${file} ]; do sleep 0.05; done`;

const isGone = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
};

describe("killed between a start and its record", () => {
  it("finds the run again, waits for it and runs its slot no second time", async () => {
    const { state, lines, open, begun } = place();
    await open(yesterday).putJob(job(`echo "$1" >> ${lines}`), "r1");
    mkdirSync(join(state, "runs", "p~capture"), { recursive: true });
    const run = {
      key: "p/capture",
      policy: "p",
      kind: "capture",
      slotAt,
      startedAt: slotAt,
      outcome: "running",
    };
    writeFileSync(join(state, "runs", "p~capture", "20261123T020000Z.json"), JSON.stringify(run));
    const result = join(state, "results", "p~capture-20261123T020000Z.json");
    const gate = `${lines}-gate`;
    orphan({ HOLDFAST_RESULT: result }, `${waitsFor(gate)}; echo '{"filesCount":3}' > ${result}`);
    const platform = open(today);
    await platform.start();
    expect((await platform.observe()).jobs[0]?.running).toBe(true);
    const end = platform.nextRunEnd(AbortSignal.timeout(30_000));
    writeFileSync(gate, "");
    expect(await end).toMatchObject({
      slotAt,
      outcome: "succeeded",
      filesCount: 3,
    });
    await platform.stop(1000);
    expect(begun()).toEqual([]);
  });

  it("ends a resident whose record was never written before it starts another", async () => {
    const { state, lines, open, begun } = place();
    const resident = job(`echo $$ >> ${lines}; exec sleep 300`, {
      key: "p/log",
      kind: "log",
      schedule: { kind: "resident" },
    });
    await open().putJob(resident, "r1");
    const { pid } = orphan({ HOLDFAST_RESIDENT: join(state, "residents", "p~log.json") }, "exec sleep 300");
    await sleeps(pid);
    const platform = open();
    await platform.start();
    await until(() => begun().length === 1);
    expect(isGone(pid)).toBe(true);
    await platform.stop(1000);
  });
});

it("ends an adopted run at its deadline", async () => {
  const { state, open } = place();
  await open(yesterday).putJob(job("true", { deadlineMs: 1000 }), "r1");
  mkdirSync(join(state, "runs", "p~capture"), { recursive: true });
  const result = join(state, "results", "p~capture-20261123T020000Z.json");
  const { pid } = orphan({ HOLDFAST_RESULT: result }, "exec sleep 300");
  await sleeps(pid);
  writeFileSync(
    join(state, "runs", "p~capture", "20261123T020000Z.json"),
    JSON.stringify({
      ...{ key: "p/capture", policy: "p", kind: "capture", slotAt, startedAt: slotAt, outcome: "running" },
      ...{ group: "p", deadlineMs: 1000 },
    }),
  );
  const platform = open(today);
  await platform.start();
  const run = await platform.nextRunEnd(AbortSignal.timeout(30_000));
  expect(run).toMatchObject({ outcome: "failed", message: expect.stringContaining("deadline") });
  expect(isGone(pid)).toBe(true);
  await platform.stop(1000);
});

it("runs every job of a set with a cron line that node-cron refuses", async () => {
  const { lines, open, begun } = place();
  const before = open(yesterday);
  const odd = { kind: "cron", cron: "3/15 * * * *", timeZone: "Etc/UTC" } as const;
  await before.putJob(
    job(`echo odd >> ${lines}`, { key: "a/verify-1", kind: "verify", schedule: odd, group: "a" }),
    "r",
  );
  await before.putJob(job(`echo plain >> ${lines}`), "r");
  await before.putJob(
    job(`echo resident >> ${lines}; exec sleep 300`, {
      key: "p/log",
      kind: "log",
      schedule: { kind: "resident" },
      group: "p/log",
    }),
    "r",
  );
  const platform = open(today);
  await platform.start();
  await until(() => begun().length === 3);
  expect([...begun()].sort()).toEqual(["odd", "plain", "resident"]);
  await platform.stop(1000);
});

describe("a disk that refuses", () => {
  it("stops neither the other jobs nor the platform when a run cannot be written down", async () => {
    const { state, lines, open, begun, errors } = place();
    const before = open(yesterday);
    await before.putJob(job(`echo a >> ${lines}`, { key: "a/capture", group: "a" }), "r");
    await before.putJob(job(`echo b >> ${lines}`, { key: "b/capture", group: "b" }), "r");
    // A file where the folder should be: nothing can be written below it.
    writeFileSync(join(state, "runs", "a~capture"), "");
    const platform = open(today);
    await platform.start();
    await until(() => begun().length === 1);
    expect(begun()).toEqual(["b"]);
    expect(errors.join()).toMatch(/a\/capture/);
    await platform.stop(1000);
  });

  it("keeps a resident it cannot write down, and ends it with its job", async () => {
    const { state, lines, open, begun, errors } = place();
    const platform = open();
    await platform.start();
    rmSync(join(state, "residents"), { recursive: true });
    writeFileSync(join(state, "residents"), "");
    const resident = job(`echo $$ >> ${lines}; exec sleep 300`, {
      key: "p/log",
      kind: "log",
      schedule: { kind: "resident" },
    });
    await platform.putJob(resident, "r1");
    await until(() => begun().length === 1 && errors.length > 0);
    expect(errors[0]).toMatch(/could not be recorded/);
    const pid = Number(begun()[0]);
    expect(isGone(pid)).toBe(false);
    await platform.removeJob("p/log");
    await until(() => isGone(pid));
    expect(begun()).toHaveLength(1);
    await platform.stop(1000);
  });

  it("writes the end of a run down later", async () => {
    const { state, lines, open, begun, errors } = place();
    const gate = `${lines}-gate`;
    await open(yesterday).putJob(job(`echo "$1" >> ${lines}; ${waitsFor(gate)}`), "r1");
    const platform = open(today);
    await platform.start();
    const end = platform.nextRunEnd(AbortSignal.timeout(60_000));
    await until(() => begun().length === 1);
    const runs = join(state, "runs", "p~capture");
    rmSync(runs, { recursive: true });
    writeFileSync(runs, "");
    writeFileSync(gate, "");
    await until(() => errors.some((e) => e.includes("the end of a run could not be recorded")));
    rmSync(runs);
    expect(await end).toMatchObject({ outcome: "succeeded" });
    expect((await platform.observe()).jobs[0]?.runs).toMatchObject([{ slotAt, outcome: "succeeded" }]);
    await platform.stop(1000);
    expect(begun()).toHaveLength(1);
  });
});
