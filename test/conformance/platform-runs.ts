/** What every platform must keep of jobs and runs across restarts, deadlines and stops; `platform.ts` has the rest. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Instant, instant } from "../../src/catalogue/instant.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { Job, Run } from "../../src/state/job.ts";

/** What a run of the job does. Each writes down that it has begun, before anything else. */
export type Behaviour = "succeed" | "fail" | "hang";

export interface PlatformPlace {
  /** A platform on this place; opening again is what a restart does. At most `maxParallelRuns` 2. */
  open(): Platform;
  /** Arguments of a job that behaves like that. */
  argvOf(behaviour: Behaviour): readonly string[];
  /** Slots whose runs have begun, in order, once per begin. */
  begun(): Promise<readonly string[]>;
  /** Lets every run that hangs, or will hang, end well. */
  letGo(): Promise<void>;
  remove(): Promise<void>;
}

/** The point, sizes and failure that `succeed` and `fail` report. */
export const reported = {
  succeed: { point: "20261123T020000Z-abc", sizeBytes: 12_345, filesCount: 7 },
  fail: { code: "store-unreachable", message: "no answer" },
  failStatus: 10,
} as const;

export async function until(isTrue: () => boolean | Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const giveUpAtMs = Date.now() + deadlineMs;
  while (!(await isTrue())) {
    if (Date.now() > giveUpAtMs) throw new Error("did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function platformRunsConformance(title: string, make: () => Promise<PlatformPlace>): void {
  describe(title, () => {
    let place: PlatformPlace;
    let platform: Platform;
    const opened: Platform[] = [];
    const open = (): Platform => {
      const one = place.open();
      opened.push(one);
      return one;
    };
    beforeEach(async () => {
      place = await make();
      platform = open();
    });
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.stop(100);
      await place.remove();
    });

    const job = (behaviour: Behaviour, changes: Partial<Job> = {}): Job => ({
      key: "p/capture",
      policy: "p",
      kind: "capture",
      schedule: { kind: "once" },
      argv: place.argvOf(behaviour),
      deadlineMs: 60_000,
      suspended: false,
      group: "p",
      ...changes,
    });
    const slot = (minute: number): Instant => instant(Date.parse("2026-11-23T02:00:00Z") + minute * 60_000);
    const runsOf = async (key = "p/capture", of = platform): Promise<readonly Run[]> =>
      (await of.observe()).jobs.find((j) => j.job.key === key)?.runs ?? [];
    const ended = async (of = platform): Promise<Run> => of.nextRunEnd(AbortSignal.timeout(60_000));

    describe("jobs", () => {
      it("are observed as they were put, and putting one again changes nothing", async () => {
        expect(await platform.observe()).toEqual({ revision: "", jobs: [] });
        await platform.putJob(job("succeed"), "r1");
        const first = await platform.observe();
        expect(first.jobs).toMatchObject([
          { job: job("succeed"), revision: "r1", ours: true, running: false, runs: [] },
        ]);
        await platform.putJob(job("succeed"), "r1");
        expect(await platform.observe()).toEqual(first);
        await platform.putJob(job("succeed", { deadlineMs: 5000 }), "r2");
        expect((await platform.observe()).jobs).toMatchObject([
          { job: { deadlineMs: 5000 }, revision: "r2", since: first.jobs[0]?.since },
        ]);
      });

      it("outlive the platform, and so does the revision", async () => {
        await platform.putJob(job("succeed"), "r1");
        await platform.setRevision("r1");
        expect(await open().observe()).toEqual(await platform.observe());
        expect((await platform.observe()).revision).toBe("r1");
      });
    });

    describe("runs", () => {
      it("report what came of them", async () => {
        await platform.start();
        await platform.putJob(job("succeed"), "r1");
        await platform.putJob(job("fail", { key: "q/capture", policy: "q", group: "q" }), "r1");
        const end = ended();
        expect(await platform.startRun("p/capture", slot(0))).toBe("started");
        const good = {
          key: "p/capture",
          policy: "p",
          kind: "capture",
          slotAt: slot(0),
          outcome: "succeeded",
        };
        expect(await end).toMatchObject({ ...good, exitStatus: 0, ...reported.succeed });
        const [run] = await runsOf();
        expect(run).toEqual(await end);
        expect(Date.parse(run?.finishedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(run?.startedAt ?? ""));
        const bad = ended();
        await platform.startRun("q/capture", slot(0));
        expect(await bad).toMatchObject({
          outcome: "failed",
          exitStatus: reported.failStatus,
          ...reported.fail,
        });
      });

      it("happen once per slot, whatever came of them and across a restart", async () => {
        await platform.start();
        await platform.putJob(job("fail"), "r1");
        const end = ended();
        const answers = await Promise.all([1, 2, 3].map(() => platform.startRun("p/capture", slot(0))));
        expect(answers.filter((a) => a === "started")).toHaveLength(1);
        await end;
        expect(await platform.startRun("p/capture", slot(0))).toBe("already");
        await platform.stop(1000);
        const next = open();
        await next.start();
        expect(await next.startRun("p/capture", slot(0))).toBe("already");
        expect(await place.begun()).toEqual([slot(0)]);
      });

      it("of one group never overlap, nor are there more than allowed", async () => {
        await platform.start();
        for (const [key, group] of [
          ["p/capture", "p"],
          ["p/prune", "p"],
          ["q/capture", "q"],
          ["r/capture", "r"],
        ] as const)
          await platform.putJob(job("hang", { key, group, policy: group }), "r1");
        expect(await platform.startRun("p/capture", slot(0))).toBe("started");
        expect(await platform.startRun("p/capture", slot(1))).toBe("busy");
        expect(await platform.startRun("p/prune", slot(0))).toBe("busy");
        expect(await platform.startRun("q/capture", slot(0))).toBe("started");
        expect(await platform.startRun("r/capture", slot(0))).toBe("busy");
        expect((await platform.observe()).jobs.filter((j) => j.running).map((j) => j.job.key)).toEqual([
          "p/capture",
          "q/capture",
        ]);
        await place.letGo();
        await until(async () => (await platform.observe()).jobs.every((j) => !j.running));
        expect(await platform.startRun("p/prune", slot(0))).toBe("started");
        await until(async () => (await runsOf("p/prune"))[0]?.outcome === "succeeded");
      });

      it("are ended at their deadline and count as failed, so that they are not begun for ever", async () => {
        await platform.start();
        await platform.putJob(job("hang", { deadlineMs: 300 }), "r1");
        const end = ended();
        await platform.startRun("p/capture", slot(0));
        expect(await end).toMatchObject({ outcome: "failed", message: expect.stringContaining("deadline") });
        expect(await platform.startRun("p/capture", slot(0))).toBe("already");
      });

      it("end by themselves when their job is removed", async () => {
        await platform.start();
        await platform.putJob(job("hang"), "r1");
        const end = ended();
        await platform.startRun("p/capture", slot(0));
        await until(async () => (await place.begun()).length === 1);
        await platform.removeJob("p/capture");
        await place.letGo();
        expect((await end).outcome).toBe("succeeded");
      });

      it("are kept, the newest 50 of them, newest first", async () => {
        await platform.start();
        await platform.putJob(job("succeed"), "r1");
        for (let n = 0; n < 53; n += 1) {
          const end = ended();
          expect(await platform.startRun("p/capture", slot(n))).toBe("started");
          await end;
        }
        const slots = (await runsOf()).map((r) => r.slotAt);
        expect(slots).toEqual(Array.from({ length: 50 }, (_, n) => slot(52 - n)));
      });

      it("of a job nobody knows are wrong usage, and waiting for an end can be given up", async () => {
        await expect(platform.startRun("no/such", slot(0))).rejects.toMatchObject({ code: "usage" });
        const controller = new AbortController();
        const end = expect(platform.nextRunEnd(controller.signal)).rejects.toBe("enough");
        controller.abort("enough");
        await end;
      });
    });

    describe("a stop", () => {
      it("asks runs to end, begins no other, and leaves their slot to be run again", async () => {
        await platform.start();
        await platform.putJob(job("hang"), "r1");
        await platform.startRun("p/capture", slot(0));
        await until(async () => (await place.begun()).length === 1);
        await platform.stop(5000);
        expect((await runsOf())[0]?.outcome).toBe("lost");
        expect(await platform.startRun("p/capture", slot(1))).toBe("busy");
        await place.letGo();
        const next = open();
        await next.start();
        const end = ended(next);
        expect(await next.startRun("p/capture", slot(0))).toBe("started");
        expect((await end).outcome).toBe("succeeded");
        expect(await place.begun()).toEqual([slot(0), slot(0)]);
      });
    });
  });
}
