/** What every platform must keep, whatever runs its jobs. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Platform } from "../../src/platform/platform.ts";
import type { Job } from "../../src/state/job.ts";

export interface PlatformFixture {
  readonly platform: Platform;
  /** A job whose run ends after `ms` with `exitStatus`; each run leaves one line behind. */
  job(
    key: string,
    options?: {
      readonly ms?: number;
      readonly exitStatus?: number;
      readonly group?: string;
      readonly deadlineMs?: number;
    },
  ): Job;
  /** Lines left by the runs of a key. */
  runsOf(key: string): Promise<number>;
  /** Somebody else changes the job behind the platform's back. */
  tamper(key: string): Promise<void>;
  close(): Promise<void>;
  /** Runs belong to somebody else than the platform's process, and go on without it. */
  readonly runsOutliveStop?: boolean;
}

const slot = "2026-11-20T02:00:00.000Z";

export function platformConformance(name: string, open: () => Promise<PlatformFixture>): void {
  describe(`platform ${name}`, () => {
    let fixture: PlatformFixture;
    beforeEach(async () => {
      fixture = await open();
    });
    afterEach(() => fixture.close());

    // A pod whose program has no handler yet when it is asked to end is killed a minute later.
    const ended = (platform: Platform) => platform.nextRunEnd(AbortSignal.timeout(100_000));

    it("holds what was put, once, and lets it go", async () => {
      const { platform } = fixture;
      const job = fixture.job("p/capture");
      await platform.putJob(job, "r1");
      await platform.putJob(job, "r1");
      await platform.setRevision("r1");
      const seen = await platform.observe();
      expect(seen.revision).toBe("r1");
      expect(seen.jobs.map((j) => [j.job.key, j.revision, j.ours])).toEqual([["p/capture", "r1", true]]);
      await platform.removeJob("p/capture");
      await platform.removeJob("p/capture");
      expect((await platform.observe()).jobs).toEqual([]);
    });

    it("sees a job that somebody else has changed", async () => {
      const { platform } = fixture;
      const job = fixture.job("p/capture");
      await platform.putJob(job, "r1");
      await fixture.tamper("p/capture");
      expect((await platform.observe()).jobs[0]?.ours).toBe(false);
      await platform.putJob(job, "r1");
      expect((await platform.observe()).jobs[0]?.ours).toBe(true);
    });

    it("runs a slot once and records how it ended", async () => {
      const { platform } = fixture;
      await platform.start();
      await platform.putJob(fixture.job("p/capture"), "r1");
      const end = ended(platform);
      expect(await platform.startRun("p/capture", slot)).toBe("started");
      expect(await end).toMatchObject({
        key: "p/capture",
        slotAt: slot,
        outcome: "succeeded",
        exitStatus: 0,
      });
      expect(await platform.startRun("p/capture", slot)).toBe("already");
      expect(await fixture.runsOf("p/capture")).toBe(1);
      expect((await platform.observe()).jobs[0]?.runs[0]?.outcome).toBe("succeeded");
    });

    it("records a failure with its status", async () => {
      const { platform } = fixture;
      await platform.start();
      await platform.putJob(fixture.job("p/capture", { exitStatus: 6 }), "r1");
      const end = ended(platform);
      await platform.startRun("p/capture", slot);
      expect(await end).toMatchObject({ outcome: "failed", exitStatus: 6 });
    });

    it("never runs two jobs of one group at a time", async () => {
      const { platform } = fixture;
      await platform.start();
      await platform.putJob(fixture.job("p/capture", { ms: 5000, group: "p" }), "r1");
      await platform.putJob(fixture.job("p/prune", { group: "p" }), "r1");
      const end = ended(platform);
      expect(await platform.startRun("p/capture", slot)).toBe("started");
      expect(await platform.startRun("p/prune", slot)).toBe("busy");
      await end;
      expect(await platform.startRun("p/prune", slot)).toBe("started");
    });

    it("ends a run at its deadline", async () => {
      const { platform } = fixture;
      await platform.start();
      await platform.putJob(fixture.job("p/capture", { ms: 60_000, deadlineMs: 500 }), "r1");
      const end = ended(platform);
      await platform.startRun("p/capture", slot);
      expect((await end).outcome).not.toBe("succeeded");
    });

    it("stops cleanly: nothing runs afterwards, unless runs are not its own", async () => {
      const { platform, runsOutliveStop = false } = fixture;
      await platform.start();
      await platform.putJob(fixture.job("p/capture", { ms: 60_000 }), "r1");
      await platform.startRun("p/capture", slot);
      await platform.stop(1000);
      expect((await platform.observe()).jobs[0]?.running).toBe(runsOutliveStop);
    });
  });
}
