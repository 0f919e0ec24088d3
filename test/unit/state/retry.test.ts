/** Which failed runs are tried again, and when. */
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import type { Run } from "../../../src/state/job.ts";
import { retryAtMs } from "../../../src/state/retry.ts";

const finishedAt = "2026-11-20T02:00:00.500Z";
const failed = (changes: Partial<Run> = {}): Run => ({
  key: "p/capture",
  policy: "p",
  kind: "capture",
  slotAt: "2026-11-20T02:00:00.000Z",
  startedAt: "2026-11-20T02:00:00.000Z",
  finishedAt,
  outcome: "failed",
  exitStatus: 10,
  code: "source-unreachable",
  ...changes,
});
const secondsAfter = (run: Run): number | undefined => {
  const atMs = retryAtMs(run);
  return atMs === undefined ? undefined : (atMs - Date.parse(finishedAt)) / 1000;
};

describe("retryAtMs", () => {
  it("waits longer from attempt to attempt, and gives up after the fourth", () => {
    const waits = [1, 2, 3, 4, 5].map((attempt) => secondsAfter(failed({ attempt })));
    expect(waits).toEqual([67.5, 337.5, 1350, undefined, undefined]);
    expect(secondsAfter(failed())).toBe(67.5);
  });

  it.each([
    ["source-unreachable", true],
    ["store-unreachable", true],
    ["tool-failed", true],
    ["locked", true],
    ["key-missing", false],
    ["verification-failed", false],
    ["objective-missed", false],
    ["empty-backup", false],
    ["guard-refused", false],
    ["interrupted", false],
  ] as const)("of a run that failed with %s says %s", (code: ErrorCode, again) => {
    expect(retryAtMs(failed({ code })) !== undefined).toBe(again);
  });

  it("goes by the exit status where the run left no code", () => {
    const { code: _, ...bare } = failed();
    expect([10, 11, 1, 2, 5].map((exitStatus) => retryAtMs({ ...bare, exitStatus }) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("leaves runs alone that have not failed", () => {
    expect(retryAtMs(failed({ outcome: "succeeded" }))).toBeUndefined();
    expect(retryAtMs(failed({ outcome: "lost" }))).toBeUndefined();
    const { finishedAt: _, ...running } = failed({ outcome: "running" });
    expect(retryAtMs(running)).toBeUndefined();
    expect(retryAtMs(failed({ code: "a-code-of-a-later-version" as ErrorCode }))).toBeUndefined();
  });
});
