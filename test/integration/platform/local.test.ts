/** The local platform across its own death: missed slots, lost runs, residents, and `kill -9` at random. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { openLocalPlatform } from "../../../src/platform/local/local.ts";
import type { Job } from "../../../src/state/job.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { seed } from "../../seed.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-local-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function place(): { readonly state: string; readonly lines: string } {
  count += 1;
  return { state: join(folder, `state-${count}`), lines: join(folder, `lines-${count}`) };
}

function open(state: string, nowMs: () => number = () => Date.now()) {
  return openLocalPlatform({
    stateDirectory: state,
    clock: { ...systemClock, nowMs },
    log: silent,
    argv: ["sh", "-c"],
    maxParallelRuns: 4,
  });
}

function job(lines: string, changes: Partial<Job> = {}): Job {
  return {
    key: "p/capture",
    policy: "p",
    kind: "capture",
    schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Europe/Berlin" },
    // $1 is the slot: sh -c SCRIPT --slot INSTANT makes --slot $0.
    argv: [`echo "$1" >> ${lines}`],
    deadlineMs: 60_000,
    suspended: false,
    group: "p",
    ...changes,
  };
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const giveUpAtMs = Date.now() + deadlineMs;
  while (!(await isTrue())) {
    if (Date.now() > giveUpAtMs) throw new Error("did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("schedules", () => {
  it("catches the newest missed slot up once after a stop of days, over a clock change", async () => {
    const { state, lines } = place();
    // 2026-10-25 is the day on which Berlin's clocks go back; 02:00 of that day is in the repeated hour.
    const before = open(state, () => Date.parse("2026-10-20T12:00:00Z"));
    await before.putJob(job(lines), "r1");
    const after = open(state, () => Date.parse("2026-10-25T09:00:00Z"));
    await after.start();
    await until(() => linesOf(lines).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await after.stop(1000);
    expect(linesOf(lines)).toEqual(["2026-10-25T00:00:00.000Z"]);
    const again = open(state, () => Date.parse("2026-10-25T09:00:05Z"));
    await again.start();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await again.stop(1000);
    expect(linesOf(lines)).toHaveLength(1);
  });

  it("tries a slot again that failed for a reason which passes, later each time, and no other", async () => {
    const { state, lines } = place();
    let nowMs = Date.parse("2026-11-20T12:00:00Z");
    const platform = open(state, () => nowMs);
    const result = (code: string) => `printf '{"code":"${code}"}' > "$HOLDFAST_RESULT"`;
    const passing = `echo "$1" >> ${lines}; [ $(wc -l < ${lines}) -ge 3 ] && exit 0; ${result("store-unreachable")}; exit 10`;
    const lasting = `echo "$1" >> ${lines}-lasting; ${result("key-missing")}; exit 12`;
    await platform.putJob(job(lines, { argv: [passing] }), "r1");
    await platform.putJob(job(lines, { key: "p/other", group: "q", argv: [lasting] }), "r1");
    await platform.start();
    const newest = async () =>
      (await platform.observe()).jobs.find((j) => j.job.key === "p/capture")?.runs[0];
    nowMs = Date.parse("2026-11-21T02:00:00Z");
    // A look comes with each run's end and each change of a job.
    const look = () => platform.putJob(job(lines, { argv: [passing] }), "r1");
    for (const [attempt, tooEarlyMs, restMs] of [
      [1, 0, 0],
      [2, 50_000, 30_000],
      [3, 290_000, 90_000],
    ] as const) {
      nowMs += tooEarlyMs;
      await look();
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (tooEarlyMs > 0) expect(linesOf(lines)).toHaveLength(attempt - 1);
      nowMs += restMs;
      await look();
      await until(async () => linesOf(lines).length === attempt && (await newest())?.outcome !== "running");
    }
    expect(await newest()).toMatchObject({
      outcome: "succeeded",
      attempt: 3,
      slotAt: "2026-11-21T01:00:00.000Z",
    });
    expect(new Set(linesOf(lines)).size).toBe(1);
    expect(linesOf(`${lines}-lasting`)).toHaveLength(1);
    await platform.stop(1000);
  });

  it("does not run a slot from before the job was there, nor a suspended job", async () => {
    const { state, lines } = place();
    const platform = open(state, () => Date.parse("2026-11-20T12:00:00Z"));
    await platform.start();
    await platform.putJob(job(lines), "r1");
    await platform.putJob(job(lines, { key: "p/other", suspended: true }), "r1");
    await new Promise((resolve) => setTimeout(resolve, 500));
    await platform.stop(1000);
    expect(linesOf(lines)).toEqual([]);
  });
});

describe("residents", () => {
  it("keeps one alive, starts it again when it dies, and ends it with its job", async () => {
    const { state, lines } = place();
    const platform = open(state);
    await platform.start();
    const resident = job(lines, {
      key: "p/log",
      kind: "log",
      schedule: { kind: "resident" },
      argv: [`echo $$ >> ${lines}; exec sleep 300`],
    });
    await platform.putJob(resident, "r1");
    await until(() => linesOf(lines).length === 1);
    process.kill(Number(linesOf(lines)[0]), "SIGKILL");
    await until(() => linesOf(lines).length === 2);
    await platform.removeJob("p/log");
    expect(() => process.kill(Number(linesOf(lines)[1]), 0)).toThrow();
    await platform.stop(1000);
  });
});

describe("a resident that cannot work", () => {
  it("is seen as a failed run with its cause, and no longer once it has lived for a minute", async () => {
    const { state, lines } = place();
    let nowMs = Date.parse("2026-11-20T12:00:00Z");
    const waits: { readonly ms: number; readonly done: () => void }[] = [];
    const clock = {
      nowMs: () => nowMs,
      // The minute is over when the test says so; other waits are real.
      wait: (ms: number, signal?: AbortSignal) =>
        ms === 60_000
          ? new Promise<void>((done, reject) => {
              waits.push({ ms, done });
              signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
            })
          : systemClock.wait(Math.min(ms, 100), signal),
    };
    const platform = openLocalPlatform({
      stateDirectory: state,
      clock,
      log: silent,
      argv: ["sh", "-c"],
      maxParallelRuns: 4,
    });
    const result = `printf '{"code":"source-unreachable","message":"nobody there"}' > "$HOLDFAST_RESULT"`;
    const script = `echo x >> ${lines}; [ -e ${lines}-well ] && exec sleep 300; ${result}; exit 10`;
    await platform.start();
    await platform.putJob(
      job(lines, { key: "p/log", kind: "log", schedule: { kind: "resident" }, argv: [script] }),
      "r1",
    );
    const newest = async () => (await platform.observe()).jobs[0]?.runs[0];
    await until(async () => (await newest()) !== undefined);
    expect(await newest()).toMatchObject({
      key: "p/log",
      outcome: "failed",
      exitStatus: 10,
      code: "source-unreachable",
      message: "nobody there",
    });
    writeFileSync(`${lines}-well`, "");
    nowMs += 5000;
    const before = linesOf(lines).length;
    await until(() => linesOf(lines).length > before);
    nowMs += 5000;
    const livesMs = nowMs;
    await until(() => waits.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    nowMs = livesMs + 60_000;
    waits.at(-1)?.done();
    await until(async () => (await newest())?.outcome === "succeeded");
    await platform.stop(1000);
  });
});

describe("kill -9", () => {
  const child = (state: string): ChildProcess =>
    spawn(process.execPath, [join(import.meta.dirname, "platform-process.ts"), state], { stdio: "ignore" });

  it("at 25 random moments leaves readable state and runs no slot twice", async () => {
    console.log(`HOLDFAST_SEED=${seed}`);
    let at = seed;
    const random = (): number => {
      at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0;
      return at / 2 ** 32;
    };
    const { state, lines } = place();
    const setup = open(state);
    await setup.putJob(
      job(lines, {
        schedule: { kind: "cron", cron: "* * * * *", timeZone: "Etc/UTC" },
        argv: [
          `echo "start $1" >> ${lines}; sleep 0.2; echo "end $1" >> ${lines}; echo "{}" > $HOLDFAST_RESULT`,
        ],
      }),
      "r1",
    );
    // The job is made to look old, so that a slot is due at once.
    const path = join(state, "jobs", "p~capture.json");
    writeFileSync(
      path,
      JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), since: "2026-01-01T00:00:00.000Z" }),
    );
    for (let kill = 0; kill < 25; kill += 1) {
      const running = child(state);
      const gone = new Promise<void>((resolve) => running.once("exit", () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, 100 + random() * 700));
      running.kill("SIGKILL");
      await gone;
      const seen = await open(state).observe();
      expect(seen.jobs).toHaveLength(1);
    }
    const last = open(state);
    await last.start();
    const hasEnded = async () =>
      linesOf(lines).some((l) => l.startsWith("end ")) &&
      (await last.observe()).jobs.every((j) => j.runs.every((r) => r.outcome !== "running"));
    await until(hasEnded);
    await last.stop(1000);
    const ends = linesOf(lines).filter((l) => l.startsWith("end "));
    expect(new Set(ends).size).toBe(ends.length);
    expect(ends.length).toBeGreaterThan(0);
  });
});
