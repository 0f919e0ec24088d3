/** The report says the worst first, is never green on faith, and the same facts give the same bytes. */
import { describe, expect, it } from "vitest";
import { renderReport, reportName } from "../../../src/report/markdown.ts";
import { dayStates } from "../../../src/report/svg-checks.ts";
import { reachSvg } from "../../../src/report/svg-reach.ts";
import { sizesSvg } from "../../../src/report/svg-sizes.ts";
import { formatAge, formatBytes, formatSeconds, isoWeek } from "../../../src/report/units.ts";
import type { Condition } from "../../../src/state/health.ts";
import { dayMs, entry, health, nowMs, policy, reportInput, verdict } from "./fixtures.ts";

const critical: Condition = {
  kind: "backup-missing",
  policy: "redis",
  severity: "critical",
  message: "no point for 26 h",
  hint: "holdfast backup redis",
};

/** Without the links of its numbers; `evidence.test.ts` follows those. */
function markdown(...args: Parameters<typeof reportInput>): string {
  const text = renderReport(reportInput(...args)).get("2026/W47.md") ?? "";
  return text.replace(/\[((?:\\.|[^\]\\])*)\]\(W47\.json#L\d+ "[^"]*"\)/g, "$1");
}

describe("report", () => {
  it("names its files by the ISO week the time ends in", () => {
    const files = renderReport(reportInput([entry()], { existing: ["2026/W46", "2025/W52", "notes"] }));
    expect([...files.keys()].sort()).toEqual([
      "2026/W47.json",
      "2026/W47.md",
      "2026/W47/objectives.svg",
      "2026/W47/postgresql-age.svg",
      "2026/W47/postgresql-calendar.svg",
      "2026/W47/postgresql-checks.svg",
      "2026/W47/postgresql-reach.svg",
      "2026/W47/postgresql-retention.svg",
      "2026/W47/postgresql-sizes.svg",
      "README.md",
      "badge.svg",
    ]);
    expect(files.get("badge.svg")).toMatch(/aria-label="backups: [a-z ]+, \d{4}-\d\d-\d\d"/);
    const index = files.get("README.md") ?? "";
    const order = ["2026/W47.md", "2026/W46.md", "2025/W52.md"].map((n) => index.lastIndexOf(n));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(index).not.toContain("notes");
    expect(reportName({ toAt: "2026-11-23T00:00:00.000Z", nowMs })).toBe("2026/W47");
    for (const picture of (files.get("2026/W47.md") ?? "").matchAll(/\]\((W47\/[^)]+)\)/g)) {
      expect(files.has(`2026/${picture[1]}`), picture[1]).toBe(true);
    }
  });

  it("gives the same bytes for the same facts", () => {
    expect(renderReport(reportInput([entry()]))).toEqual(renderReport(reportInput([entry()])));
  });

  it("is green only when every policy is proved", () => {
    expect(markdown([entry()])).toContain("🟢 **The one policy is proved by restores.**");
    for (const proof of ["unproven", "failed", "overdue"] as const) {
      expect(markdown([entry(), entry({ health: health({ proof }) })]).split("\n")[2]).not.toContain("🟢");
    }
    expect(markdown([]).split("\n")[2]).toContain("🔴 **No policy is in force");
    const open = markdown([entry()], { notBuilt: [{ policy: "redis", component: "redis" }] });
    expect(open.split("\n")[2]).toContain("🟡");
    expect(open).toContain("**Not protected:**");
  });

  it("puts the worst first and says the next command", () => {
    const text = markdown([
      entry(),
      entry({
        policy: policy({ name: "redis" }),
        health: health({ policy: "redis", conditions: [critical] }),
      }),
    ]);
    expect(text.split("\n")[2]).toBe("🔴 **redis: no point for 26 h.**");
    expect(text).toMatch(/no point for 26 h \| holdfast backup redis \|/);
  });

  it("shows what a drill measured and what fixed it", () => {
    const drill = verdict(nowMs - dayMs, 5, {
      measured: {
        seed: "4c2d9a1f",
        targetAt: "2026-11-20T13:07:09.000Z",
        lastCanaryAt: "2026-11-20T13:06:38.000Z",
        rpoSeconds: 31,
        rtoSeconds: 914,
      },
    });
    const text = markdown([entry({ drills: [drill] })], { previousCommit: "0abc" });
    expect(text).toMatch(
      /5 of 5 \| 🟢 passed \| 2026-11-20 13:07:09Z \| 2026-11-20 13:06:38Z \| 31 s \| 15 min 14 s \|/,
    );
    expect(text).toContain("`0abc`");
    expect(markdown([entry()])).toContain("No restore was tried");
  });

  it("says what was pruned and why, failed runs, and missed targets", () => {
    const text = markdown([
      entry({
        health: health({ measured: { rpoSeconds: 900, rtoSeconds: 10 } }),
        prune: [
          {
            point: "20261001T020000Z",
            reason: "outside the table",
            at: "2026-11-20T04:00:00.000Z",
            removedBytes: 2048,
          },
        ],
        runs: [
          {
            key: "postgresql/capture",
            policy: "postgresql",
            kind: "capture",
            slotAt: "s",
            startedAt: "2026-11-20T02:00:00.000Z",
            outcome: "failed",
            exitStatus: 6,
            message: "pg_basebackup: no space",
          },
        ],
      }),
    ]);
    expect(text).toContain("1 step, 2 KiB removed.");
    expect(text).toContain("outside the table");
    expect(text).toMatch(
      /\| 6 \| pg\\_basebackup: no space \| 🔴 open: `holdfast verify postgresql --level 4` \|/,
    );
    expect(text).toContain("**15 min / 5 min missed**");
  });

  it("says plainly that a store could not be read", () => {
    const { catalogue: _, ...unread } = entry();
    const files = renderReport(reportInput([unread]));
    expect(files.get("2026/W47.md")).toContain("**The store could not be read**");
    expect(JSON.parse(files.get("2026/W47.json") ?? "")).toMatchObject({
      policies: [{ catalogueRead: false }],
    });
  });
});

describe("pictures", () => {
  it("draw gaps red and proved points filled, and stay small with many points", () => {
    const at = (ms: number) => new Date(ms).toISOString();
    const points = Array.from({ length: 20_000 }, (_, i) => ({
      at: at(nowMs - i * 3_600_000),
      proved: i % 24 === 3,
    }));
    const ranges = [
      { fromAt: at(nowMs - 700 * dayMs), toAt: at(nowMs - 400 * dayMs) },
      { fromAt: at(nowMs - 300 * dayMs), toAt: at(nowMs) },
    ];
    const svg = reachSvg({ policy: "p", points, ranges, pointInTime: true, nowMs });
    expect(svg.length).toBeLessThan(40_000);
    expect(svg.match(/<rect class="bad"/g)).toHaveLength(2);
    expect(svg).toContain("Between them: 1 gap.");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const unproved = reachSvg({
      policy: "p",
      points: points.map((p) => ({ ...p, proved: false })),
      ranges: [],
      pointInTime: false,
      nowMs,
    });
    expect(unproved).not.toMatch(/class="good" cx="[^"]*" cy="59"/);
  });

  it("hold empty and huge values", () => {
    expect(reachSvg({ policy: "p", points: [], ranges: [], pointInTime: true, nowMs })).toContain(
      "nothing can be restored",
    );
    for (const sizeBytes of [0, 1, Number.MAX_SAFE_INTEGER, 1e300]) {
      const svg = sizesSvg({
        policy: "p",
        points: [{ at: "2026-11-20T02:00:00.000Z", sizeBytes, full: true }],
      });
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it("a failure stays red until a later success, and nothing is green before a verdict", () => {
    const check = { name: "restore", level: 4, everyMs: 2 * dayMs, automated: "yes" } as const;
    const verdicts = [
      verdict(nowMs - 6 * dayMs, 4),
      verdict(nowMs - 2 * dayMs, 2, { asked: 4 }),
      verdict(nowMs - dayMs, 1),
    ];
    const picture = {
      policy: "p",
      checks: [check],
      verdicts,
      nowMs,
      days: 9,
      sinceAt: new Date(nowMs - 7 * dayMs).toISOString(),
    };
    expect(dayStates(picture, check)).toEqual([
      "none",
      "none",
      "passed",
      "counts",
      "overdue",
      "overdue",
      "failed",
      "failed",
      "failed",
    ]);
  });
});

describe("units", () => {
  it("are read as people read them", () => {
    expect([0, 1023, 1024, 1536, 1024 ** 3 * 12.1, -1, Number.NaN].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1 KiB",
      "1.5 KiB",
      "12.1 GiB",
      "–",
      "–",
    ]);
    expect([0, 1.25, 59.7, 60, 3599.6, 3660, 86_400, 90_000, 40 * 86_400].map(formatSeconds)).toEqual([
      "0 s",
      "1.3 s",
      "1 min",
      "1 min",
      "1 h",
      "1 h 1 min",
      "1 d",
      "1 d 1 h",
      "40 d",
    ]);
    expect(formatAge(undefined, nowMs)).toBe("never");
    expect(isoWeek(Date.parse("2027-01-01T12:00:00Z")).name).toBe("2026/W53");
    expect(isoWeek(Date.parse("2024-12-30T00:00:00Z")).name).toBe("2025/W01");
  });
});
