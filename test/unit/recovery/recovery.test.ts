/** Gaps, timelines, the point a restore starts from, and what is said when there is none. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { auditLog } from "../../../src/recovery/audit.ts";
import { planRestore, reachableRanges } from "../../../src/recovery/chain.ts";
import { verdict } from "../report/fixtures.ts";
import {
  archive,
  basePoint,
  catalogueOf,
  minute,
  minuteMs,
  nameOf,
  run,
  segment,
  startMs,
} from "./fixtures.ts";

const one = "00000001";
const two = "00000002";
const three = "00000003";
/** Half a minute before a segment was stored: inside it. */
const inside = (sequence: number) => instant(startMs + sequence * minuteMs - 20_000);
const at = (sequence: number) => ({ kind: "time", at: inside(sequence) }) as const;
const audit = (
  log: ReturnType<typeof archive>,
  nowSequence = 1000,
  from?: { branch: string; sequence: number },
) =>
  auditLog({
    archive: log,
    nameOf,
    nowMs: startMs + nowSequence * minuteMs,
    lateAfterMs: 5 * minuteMs,
    ...(from === undefined ? {} : { from }),
  });

function failure(work: () => unknown): HoldfastError {
  try {
    work();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error("did not fail");
}

/** Whether the command of the hint has a way back. */
function goesThrough({ hint }: HoldfastError, catalogue: ReturnType<typeof catalogueOf>): boolean {
  const instantAt = /^holdfast restore postgresql --at (\S+) --to DIR$/.exec(hint)?.[1] ?? "";
  return planRestore({ catalogue, target: { kind: "time", at: instantAt } }).point !== undefined;
}

describe("auditLog", () => {
  it("finds one range where nothing is missing", () => {
    expect(audit(archive(run(one, 3, 9)))).toEqual({
      ranges: [{ branch: one, first: 3, last: 9 }],
      gaps: [],
    });
  });

  it("names a lost segment by its file", () => {
    const { ranges, gaps } = audit(archive([...run(one, 3, 5), ...run(one, 8, 9)]));
    expect(ranges).toHaveLength(2);
    expect(gaps).toEqual([
      {
        branch: one,
        firstSequence: 6,
        lastSequence: 7,
        firstName: "000000010000000000000006",
        lastName: "000000010000000000000007",
        kind: "lost",
      },
    ]);
  });

  it("calls a gap late while what follows it is fresh, and lost after that", () => {
    const log = archive([...run(one, 3, 5), ...run(one, 7, 7)]);
    expect(audit(log, 8).gaps[0]?.kind).toBe("late");
    expect(audit(log, 13).gaps[0]?.kind).toBe("lost");
  });

  it("takes an unfinished segment at the end for whole, and for a hole once the log goes on behind it", () => {
    const end = segment(one, 6, { partial: true });
    expect(audit(archive([...run(one, 3, 5), end])).gaps).toEqual([]);
    const gaps = audit(archive([...run(one, 3, 5), end, segment(one, 7)])).gaps;
    expect(gaps.map((g) => g.firstSequence)).toEqual([6]);
    expect(audit(archive([...run(one, 3, 5), end, segment(one, 6), segment(one, 7)])).gaps).toEqual([]);
  });

  it("follows a promotion: the fork's segment is unfinished on the parent and whole on the child", () => {
    const log = archive(
      [...run(one, 3, 5), segment(one, 6, { partial: true }), ...run(two, 6, 8)],
      [{ branch: two, parent: one, forkSequence: 6 }],
    );
    expect(audit(log).gaps).toEqual([]);
  });

  it("finds what is missing on either side of a fork", () => {
    const log = archive(
      [...run(one, 3, 4), ...run(two, 8, 9)],
      [{ branch: two, parent: one, forkSequence: 7 }],
    );
    expect(audit(log).gaps.map((g) => [g.firstName, g.lastName])).toEqual([
      ["000000010000000000000005", "000000010000000000000006"],
      ["000000020000000000000007", "000000020000000000000007"],
    ]);
  });

  it("asks nothing of what lies before `from` or beside it", () => {
    const log = archive(
      [segment(one, 1), ...run(one, 5, 9), ...run(two, 7, 9), segment(three, 2), segment(three, 4)],
      [{ branch: two, parent: one, forkSequence: 7 }],
    );
    expect(audit(log, 1000, { branch: one, sequence: 5 }).gaps).toEqual([]);
    expect(audit(log, 1000, { branch: two, sequence: 7 }).ranges).toEqual([
      { branch: two, first: 7, last: 9 },
    ]);
  });
});

describe("planRestore to an instant", () => {
  const points = [basePoint(one, 10), basePoint(one, 20)];

  it("starts from the newest point at or before it", () => {
    const catalogue = catalogueOf(points, archive(run(one, 10, 30)));
    expect(planRestore({ catalogue, target: at(25) }).point.manifest.id).toBe(points[1]?.manifest.id);
    expect(planRestore({ catalogue, target: at(15) }).point.manifest.id).toBe(points[0]?.manifest.id);
  });

  it("names the missing segment and both neighbours that can be reached", () => {
    const catalogue = catalogueOf(points, archive([...run(one, 10, 13), ...run(one, 15, 30)]));
    const error = failure(() => planRestore({ catalogue, target: at(17), nameOf }));
    expect(error.code).toBe("wal-gap");
    expect(error.message).toContain("00000001000000000000000E");
    expect(error.message).toContain(
      `reachable: up to ${minute(13)}, and again from ${points[1]?.manifest.consistentAt}`,
    );
    expect(planRestore({ catalogue, target: at(13) }).point.manifest.id).toBe(points[0]?.manifest.id);
  });

  it("says of every newer point why it does not serve", () => {
    const catalogue = catalogueOf(points, archive(run(one, 10, 30)));
    expect(planRestore({ catalogue, target: at(25) }).passedOver).toEqual([]);
    expect(planRestore({ catalogue, target: at(15) }).passedOver).toEqual([
      {
        id: points[1]?.manifest.id,
        cause: `of ${points[1]?.manifest.consistentAt}, after the target`,
      },
    ]);
    const orphan = basePoint(one, 25, { capture: "incremental", parents: ["20200101T000000Z" as never] });
    const failed = { ...basePoint(one, 27), verdicts: [verdict(startMs + 28 * minuteMs, 1, { ok: false })] };
    const plan = planRestore({
      catalogue: catalogueOf([...points, orphan, failed], archive(run(one, 10, 30))),
      target: { kind: "latest" },
    });
    expect(plan.point.manifest.id).toBe(points[1]?.manifest.id);
    expect(plan.passedOver).toEqual([
      { id: failed.manifest.id, cause: "its newest verification failed" },
      {
        id: orphan.manifest.id,
        cause: `point ${orphan.manifest.id} needs 20200101T000000Z, which is not there`,
      },
    ]);
  });

  it("speaks of branch and number where nobody gives names", () => {
    const catalogue = catalogueOf(points, archive([...run(one, 10, 13), ...run(one, 15, 30)]));
    expect(failure(() => planRestore({ catalogue, target: at(17) })).message).toContain("00000001 number 14");
  });

  it("refuses an instant after the end of the log, unless the log is known to reach it", () => {
    const catalogue = catalogueOf(points, archive(run(one, 10, 30)));
    const error = failure(() => planRestore({ catalogue, target: at(40) }));
    expect(error.code).toBe("target-unreachable");
    expect(error.message).toContain(`reachable: up to ${minute(30)}`);
    expect(goesThrough(error, catalogue)).toBe(true);
    const logReachMs = Date.parse(inside(40));
    expect(planRestore({ catalogue, target: at(40), logReachMs }).point.manifest.id).toBe(
      points[1]?.manifest.id,
    );
  });

  it("does not believe a reach behind a hole", () => {
    const catalogue = catalogueOf(points, archive([...run(one, 10, 24), ...run(one, 26, 30)]));
    const logReachMs = Date.parse(minute(30));
    expect(failure(() => planRestore({ catalogue, target: at(28), logReachMs })).code).toBe("wal-gap");
  });

  it("does not take a late upload for the time it holds", () => {
    const late = run(one, 10, 13).map((s) => ({ ...s, storedAt: minute(29) }));
    const catalogue = catalogueOf(points, archive([...late, ...run(one, 15, 30)]));
    expect(reachableRanges({ catalogue })[0]?.toAt).toBe(points[1]?.manifest.startedAt);
  });

  it("refuses an instant before the oldest point", () => {
    const catalogue = catalogueOf(points, archive(run(one, 1, 30)));
    const error = failure(() => planRestore({ catalogue, target: at(5) }));
    expect(error.code).toBe("target-unreachable");
    expect(error.message).toContain(`reachable: from ${points[0]?.manifest.consistentAt}`);
    expect(goesThrough(error, catalogue)).toBe(true);
  });

  it("crosses promotions to the newest branch", () => {
    const log = archive(
      [...run(one, 10, 15), ...run(two, 15, 22), ...run(three, 22, 30)],
      [
        { branch: two, parent: one, forkSequence: 15 },
        { branch: three, parent: two, forkSequence: 22 },
      ],
    );
    const catalogue = catalogueOf([basePoint(one, 10)], log);
    expect(planRestore({ catalogue, target: at(29) }).reason).toContain("without a hole");
    expect(reachableRanges({ catalogue })).toEqual([
      { fromAt: basePoint(one, 10).manifest.consistentAt, toAt: minute(30) },
    ]);
  });

  it("does not follow a branch that left before the point", () => {
    const log = archive(
      [...run(one, 10, 20), ...run(two, 12, 40)],
      [{ branch: two, parent: one, forkSequence: 12 }],
    );
    const catalogue = catalogueOf([basePoint(one, 15)], log);
    expect(failure(() => planRestore({ catalogue, target: at(35) })).code).toBe("target-unreachable");
    expect(planRestore({ catalogue, target: at(18) }).point.manifest.id).toBe(basePoint(one, 15).manifest.id);
  });

  it("stops at a promotion whose new branch was never stored", () => {
    const log = archive([...run(one, 10, 15)], [{ branch: two, parent: one, forkSequence: 12 }]);
    const catalogue = catalogueOf([basePoint(one, 10)], log);
    expect(reachableRanges({ catalogue })[0]?.toAt).toBe(minute(15));
  });
});

describe("planRestore and damaged points", () => {
  const log = archive(run(one, 10, 30));

  it("passes over a point that failed early while another serves", () => {
    const old = basePoint(one, 10);
    const bad = { ...basePoint(one, 20), verdicts: [verdict(startMs, 0, { ok: false, asked: 2 })] };
    expect(planRestore({ catalogue: catalogueOf([old, bad], log), target: at(25) }).point).toBe(old);
    const alone = planRestore({ catalogue: catalogueOf([bad], log), target: at(25) });
    expect(alone.point).toBe(bad);
    expect(alone.reason).toContain("its newest verification failed");
  });

  it("gives the whole chain, nearest first, and names a parent that is gone", () => {
    const full = basePoint(one, 10);
    const middle = basePoint(one, 15, { capture: "incremental", parents: [full.manifest.id] });
    const parents = [middle.manifest.id, full.manifest.id];
    const last = basePoint(one, 20, { capture: "incremental", parents });
    const whole = planRestore({
      catalogue: catalogueOf([full, middle, last], log),
      target: { kind: "latest" },
    });
    expect(whole.chain.map((m) => m.id)).toEqual([last.manifest.id, ...parents]);
    const error = failure(() =>
      planRestore({ catalogue: catalogueOf([middle, last], log), target: { kind: "latest" } }),
    );
    expect(error.code).toBe("target-unreachable");
    expect(error.message).toContain(full.manifest.id);
    expect(reachableRanges({ catalogue: catalogueOf([middle, last], log) })).toEqual([]);
  });

  it("says which of its own log a point lacks", () => {
    const need = { branch: one, firstSequence: 10, lastSequence: 12 };
    const catalogue = catalogueOf([basePoint(one, 10, { log: need })], archive(run(one, 10, 11)));
    const error = failure(() => planRestore({ catalogue, target: { kind: "latest" }, nameOf }));
    expect(error.code).toBe("wal-gap");
    expect(error.message).toContain("00000001000000000000000C");
  });

  it("goes to a position of the log", () => {
    const points = [basePoint(one, 10), basePoint(one, 20)];
    const to = (sequence: number) =>
      ({ kind: "lsn", lsn: `0/${(sequence * 2 ** 24 + 40).toString(16)}` }) as const;
    expect(planRestore({ catalogue: catalogueOf(points, log), target: to(15) }).point).toBe(points[0]);
    expect(planRestore({ catalogue: catalogueOf(points, log), target: to(25) }).point).toBe(points[1]);
    expect(() => planRestore({ catalogue: catalogueOf(points, log), target: to(31) })).toThrow("0/1f000028");
  });

  it("takes the newest point at or before the instant where there is no log", () => {
    const bare = [basePoint(one, 10), basePoint(one, 20)].map((p) => {
      const { log: _, ...manifest } = p.manifest;
      return { ...p, manifest };
    });
    const catalogue = catalogueOf(bare);
    expect(planRestore({ catalogue, target: at(15) }).point).toBe(bare[0]);
    const instants = bare.map((p) => p.manifest.consistentAt);
    expect(reachableRanges({ catalogue })).toEqual(instants.map((i) => ({ fromAt: i, toAt: i })));
  });
});
