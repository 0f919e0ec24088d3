/** Losses that leave no error behind: each must still be told. */
import { describe, expect, it } from "vitest";
import type { Catalogue, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { judge } from "../../../src/health/judge.ts";
import type { LogSettings } from "../../../src/policy/model.ts";
import type { PolicyHealth } from "../../../src/state/health.ts";
import type { SourceFacts } from "../../../src/state/job.ts";
import { dayMs, policy } from "../report/fixtures.ts";
import {
  archiveOf,
  historyOf,
  logged,
  ours,
  perDay,
  startMs,
  stepMs,
  storedMsOf,
  wholeLog,
} from "../retention/histories.ts";

const days = 20;
const nowMs = startMs + days * dayMs - dayMs / 2;
const last = Math.floor((nowMs - startMs) / stepMs) - 1;
const log: LogSettings = {
  mode: "stream",
  store: { name: "wal-archive", prefix: "wal/" },
  retention: { name: "wal", keep: { days: 7 } },
  pushEveryMs: 2000,
  slot: "holdfast",
};
const objectives = { rpoMs: 1_800_000, rtoMs: 3_600_000, reachMs: 7 * dayMs, pitrWindowMs: 7 * dayMs };

function health(catalogue: Catalogue, source?: SourceFacts): PolicyHealth {
  const logReachMs = storedMsOf(last);
  const shared = {
    policy: policy({ log, objectives }),
    keys: [],
    catalogue,
    store: ours,
    jobs: [],
    nowMs,
    logReachMs,
  };
  return judge(source === undefined ? shared : { ...shared, source });
}

const kinds = (of: PolicyHealth) => of.conditions.map((c) => c.kind);

/** The history with only the segments `keep` likes. */
function withSegments(
  keep: (sequence: number) => boolean,
  points: readonly RecoveryPoint[] = logged(days),
): Catalogue {
  const whole = wholeLog(last);
  return historyOf(
    points,
    archiveOf(
      whole.segments.filter((s) => keep(s.sequence)),
      whole.branches,
    ),
  );
}

describe("a log that vanished", () => {
  it("is no matter while it is whole", () => {
    expect(kinds(health(withSegments(() => true)))).toEqual(["unproven"]);
  });

  it("wholly: nothing can be restored, and that is critical", () => {
    for (const catalogue of [withSegments(() => false), historyOf(logged(days))]) {
      const judged = health(catalogue);
      expect(judged.ranges).toEqual([]);
      const told = judged.conditions.find((c) => c.kind === "rpo-missed");
      expect(told?.severity).toBe("critical");
      expect(told?.message).toContain("none of the 20 recovery points can be restored");
    }
  });

  it("wholly, at a source that writes nothing", () => {
    const idle: SourceFacts = {
      policy: "postgresql",
      reachable: true,
      detail: "",
      version: "17.1",
      identity: "7",
      tools: {},
      drift: [],
      log: { behindBytes: 0, retainedBytes: 0, lost: false, idle: true },
    };
    expect(
      kinds(
        health(
          withSegments(() => false),
          idle,
        ),
      ),
    ).toContain("rpo-missed");
  });

  it("at its old end: the window no longer reaches back as far as promised", () => {
    const judged = health(withSegments((n) => n >= 17 * perDay));
    const told = judged.conditions.find((c) => c.kind === "pitr-gap");
    expect(told?.message).toContain(judged.ranges[0]?.fromAt);
    expect(told?.severity).toBe("critical");
  });

  it("before the window: older points keep only their own", () => {
    const catalogue = withSegments((n) => n >= 12 * perDay || n % perDay < 2);
    expect(kinds(health(catalogue))).not.toContain("pitr-gap");
  });

  it("a policy too young for its window is not blamed", () => {
    const young = logged(days).slice(15);
    const catalogue = withSegments((n) => n >= 15 * perDay, young);
    expect(kinds(health(catalogue))).not.toContain("pitr-gap");
  });
});

describe("a point with an empty part", () => {
  it("is too small, however large the rest is", () => {
    const artifact = (name: string, plainSizeBytes: number) => ({
      name,
      codec: "gzip" as const,
      objects: [],
      plainSha256: "0".repeat(64),
      plainSizeBytes,
    });
    const points = logged(days).map((p, n) => {
      const artifacts = [artifact("base.tar", 1000), artifact("tablespace.tar", n === days - 1 ? 0 : 1000)];
      return { ...p, manifest: { ...p.manifest, artifacts } };
    });
    const told = health(withSegments(() => true, points)).conditions.find(
      (c) => c.kind === "backup-too-small",
    );
    expect(told?.message).toContain("tablespace.tar");
  });
});
