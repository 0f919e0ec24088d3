/** Archives with holes and a promotion at random, against a walk of the log written out step by step. */
import { describe, expect, it } from "vitest";
import type { Catalogue, RecoveryPoint } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { auditLog } from "../../../src/recovery/audit.ts";
import { planRestore, reachableRanges } from "../../../src/recovery/chain.ts";
import { seed } from "../../seed.ts";
import { generator } from "../retention/cases.ts";
import {
  archiveOf,
  historyOf,
  logged,
  oneBranch,
  perDay,
  startMs,
  storedMsOf,
  twoBranch,
  wholeLog,
} from "../retention/histories.ts";

const days = 6;
const last = days * perDay - 1;

interface World {
  readonly catalogue: Catalogue;
  readonly fork: number;
  readonly has: (sequence: number) => boolean;
}

function makeWorld(random: () => number): World {
  const fork = random() < 0.6 ? 1 + Math.floor(random() * last) : Number.POSITIVE_INFINITY;
  const holes = new Set(Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * last)));
  const whole = wholeLog(last, fork);
  // A hole at the fork takes the new branch's copy; the unfinished piece of the old one stays.
  const segments = whole.segments.filter((s) => !holes.has(s.sequence) || s.partial);
  const points = logged(days, fork).filter((_, n) => n === 0 || random() < 0.8);
  return {
    catalogue: historyOf(points, archiveOf(segments, whole.branches)),
    fork,
    has: (sequence) => sequence <= last && !holes.has(sequence),
  };
}

/** The last sequence a replay from the point can read, step by step; undefined when its own need is broken. */
function walk(world: World, point: RecoveryPoint): number | undefined {
  const need = point.manifest.log;
  if (need === undefined) return undefined;
  let at = need.firstSequence;
  while (world.has(at)) at += 1;
  return at - 1 >= need.lastSequence ? at - 1 : undefined;
}

function answer(catalogue: Catalogue, atMs: number): RecoveryPoint | undefined {
  try {
    return planRestore({ catalogue, target: { kind: "time", at: instant(atMs) } }).point;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(["wal-gap", "target-unreachable"]).toContain(error.code);
    expect(error.message).toContain(instant(atMs));
    expect(error.message).toContain("reach");
    return undefined;
  }
}

describe("an unfinished piece in the middle", () => {
  it("is a hole as soon as the log goes on behind it", () => {
    const segments = wholeLog(last).segments.map((s) => (s.sequence === 250 ? { ...s, partial: true } : s));
    const catalogue = historyOf(logged(days).slice(0, 1), archiveOf(segments));
    expect(answer(catalogue, storedMsOf(248))?.manifest.id).toBeDefined();
    expect(answer(catalogue, storedMsOf(252))).toBeUndefined();
  });
});

describe("restores at random", () => {
  it("promise what the log holds and nothing else", () => {
    console.log(`recovery: HOLDFAST_SEED=${seed}`);
    const random = generator(seed);
    let yes = 0;
    let no = 0;
    for (let n = 0; n < 300; n += 1) {
      const world = makeWorld(random);
      const { catalogue } = world;
      for (let tries = 0; tries < 8; tries += 1) {
        const atMs = startMs + Math.floor(random() * days * 86_400_000);
        const where = `seed ${seed}, world ${n}, fork ${world.fork}, ${instant(atMs)}`;
        const before = catalogue.points.filter((p) => Date.parse(p.manifest.consistentAt) <= atMs);
        const ends = before.map((p) => walk(world, p));
        const chosen = answer(catalogue, atMs);
        if (chosen === undefined) {
          // One segment short of the end a replay may or may not come to the instant; before that it must.
          const surely = ends.some((end) => end !== undefined && storedMsOf(end - 1) >= atMs);
          expect(surely, `${where}: refused`).toBe(false);
          no += 1;
          continue;
        }
        const end = walk(world, chosen);
        expect(end, `${where}: own log`).toBeDefined();
        expect(storedMsOf(end ?? 0), `${where}: past the end`).toBeGreaterThanOrEqual(atMs);
        expect(Date.parse(chosen.manifest.consistentAt)).toBeLessThanOrEqual(atMs);
        yes += 1;
      }
    }
    expect(yes).toBeGreaterThan(300);
    expect(no).toBeGreaterThan(100);
  });

  it("serve every instant of every range they name", () => {
    const random = generator(seed + 1);
    for (let n = 0; n < 200; n += 1) {
      const { catalogue } = makeWorld(random);
      const logReachMs = random() < 0.5 ? undefined : storedMsOf(last) - 1000;
      const known = logReachMs === undefined ? { catalogue } : { catalogue, logReachMs };
      for (const { fromAt, toAt } of reachableRanges(known)) {
        const [fromMs, toMs] = [Date.parse(fromAt), Date.parse(toAt)];
        for (const share of [0, 0.5, random(), 1]) {
          const at = instant(fromMs + Math.floor((toMs - fromMs) * share));
          expect(
            () => planRestore({ ...known, target: { kind: "time", at } }),
            `seed ${seed}, ${at}`,
          ).not.toThrow();
        }
      }
    }
  });

  it("find in an audit each hole once and nothing that is there", () => {
    const random = generator(seed + 2);
    for (let n = 0; n < 300; n += 1) {
      const world = makeWorld(random);
      const archive = world.catalogue.log ?? archiveOf([]);
      const { gaps } = auditLog({
        archive,
        nameOf: (branch, sequence) => `${branch} ${sequence}`,
        from: { branch: oneBranch, sequence: 0 },
        nowMs: storedMsOf(last) + 86_400_000,
        lateAfterMs: 1000,
      });
      const found = new Set<number>();
      for (const gap of gaps) {
        expect(gap.kind).toBe("lost");
        expect(gap.firstName).toBe(`${gap.branch} ${gap.firstSequence}`);
        expect(gap.branch).toBe(gap.firstSequence >= world.fork ? twoBranch : oneBranch);
        for (let s = gap.firstSequence; s <= gap.lastSequence; s += 1) found.add(s);
      }
      const stored = archive.segments.filter((s) => !s.partial).map((s) => s.sequence);
      const end = Math.max(...stored);
      for (let s = 0; s <= end; s += 1) {
        expect(found.has(s), `seed ${seed}, world ${n}, fork ${world.fork}, segment ${s}`).toBe(
          !world.has(s),
        );
      }
    }
  });
});
