/** The loop when the world around it fails half way: nothing is dropped, nothing is called good that is not. */
import { describe, expect, it } from "vitest";
import { HoldfastError } from "../../../src/errors.ts";
import { silent } from "../../../src/log.ts";
import { type LoopStatus, reconcile } from "../../../src/operate/reconcile.ts";
import type { Revision } from "../../../src/source/source.ts";
import { handClock } from "../../fakes/clock.ts";

const pollMs = 60_000;

function revision(commit: string, tree = `tree-${commit}`): Revision {
  return { commit, tree, committedAt: "2026-11-23T12:00:00Z", subject: "s", author: "a", files: [] };
}

function diskFull(): Error {
  return Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
}

async function running() {
  const clock = handClock();
  const controller = new AbortController();
  const world = {
    head: revision("one"),
    /** Commits of the branch whose history holds what is in force. */
    descendants: new Set(["one"]),
    removed: [] as string[],
    adopted: [] as string[],
    statuses: [] as LoopStatus[],
    converged: 0,
    failAdopt: undefined as Error | undefined,
    failJudge: undefined as Error | undefined,
    failConverge: undefined as Error | undefined,
    failStatus: undefined as Error | undefined,
  };
  const fail = (error: Error | undefined): void => {
    if (error !== undefined) throw error;
  };
  const ended = reconcile({
    source: {
      poll: async (seen, inForce) => {
        if (seen === world.head.commit) return { movement: "unchanged" };
        if (inForce === undefined) return { movement: "first", revision: world.head };
        const isForward = world.descendants.has(world.head.commit);
        return { movement: isForward ? "forward" : "rewritten", revision: world.head };
      },
      read: async () => world.head,
      publish: async () => "",
      published: async () => [],
      readPublished: async () => undefined,
      lastPublished: async () => undefined,
      trailersSince: async () => [],
    },
    clock,
    signal: controller.signal,
    log: silent,
    pollEveryMs: () => pollMs,
    observeEveryMs: 10 * pollMs,
    jitter: () => 0.5,
    loadKnown: async () => undefined,
    judgeRevision: async () => {
      fail(world.failJudge);
      return { errors: [], removedPolicies: world.removed };
    },
    adopt: async (r) => {
      fail(world.failAdopt);
      world.adopted.push(r.commit);
    },
    converge: async () => {
      world.converged += 1;
      fail(world.failConverge);
      return { ok: true, transient: false, detail: "" };
    },
    nextRunEnd: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    onStatus: async (status) => {
      world.statuses.push(status);
      fail(world.failStatus);
    },
  });
  await clock.advance(1);
  const push = async (commit: string, ms = pollMs * 1.1): Promise<LoopStatus | undefined> => {
    world.head = revision(commit);
    await clock.advance(ms);
    return world.statuses.at(-1);
  };
  const stop = async (): Promise<void> => {
    controller.abort();
    await ended;
  };
  return { clock, world, push, ended, stop };
}

describe("a commit that cannot be put in force", () => {
  for (const [what, error] of [
    ["a missing key", new HoldfastError("key-missing", "no identity opens the store's key")],
    ["a full disk", diskFull()],
  ] as const) {
    for (const where of ["failAdopt", "failJudge"] as const) {
      it(`is said and tried again until it is: ${what}, ${where}`, async () => {
        const { clock, world, push, stop } = await running();
        world[where] = error;
        const status = await push("two");
        expect(status).toMatchObject({ state: "stalled", ok: false, revision: "one", seenCommit: "two" });
        expect(status?.conditions[0]?.message).toMatch(
          /commit two could not be put in force, one stays in force/,
        );
        await clock.advance(5 * pollMs);
        expect(world.statuses.at(-1)?.ok).toBe(false);
        world[where] = undefined;
        await clock.advance(2 * pollMs);
        expect(world.adopted).toEqual(["one", "two"]);
        expect(world.statuses.at(-1)).toMatchObject({ state: "waiting", ok: true, conditions: [] });
        await stop();
      });
    }
  }
});

describe("a rewritten branch that loses a policy", () => {
  it("stays out however many commits follow on it", async () => {
    const { world, push, stop } = await running();
    world.removed = ["postgresql"];
    expect((await push("foreign"))?.conditions[0]?.hint).toContain("--accept-rewritten foreign");
    expect((await push("on-top"))?.conditions[0]?.hint).toContain("--accept-rewritten on-top");
    expect(world.adopted).toEqual(["one"]);
    await stop();
  });

  it("is no such thing when only a commit was amended that never was in force", async () => {
    const { world, push, stop } = await running();
    world.failJudge = undefined;
    world.descendants.add("amended");
    world.removed = ["postgresql"];
    await push("foreign");
    await push("amended");
    expect(world.adopted).toEqual(["one", "amended"]);
    await stop();
  });
});

describe("a full disk", () => {
  it("does not end the loop while it cannot keep its status, and the next status says so", async () => {
    const { clock, world, push, stop } = await running();
    world.failStatus = diskFull();
    await clock.advance(2 * pollMs);
    expect(world.statuses.at(-1)?.conditions[0]?.message).toMatch(/status could not be kept: ENOSPC/);
    world.failStatus = undefined;
    await push("two");
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one", "two"]);
    expect(world.statuses.at(-1)).toMatchObject({ ok: true, conditions: [] });
    await stop();
  });

  it("is tried again when it stops a convergence", async () => {
    const { clock, world, push, stop } = await running();
    world.failConverge = diskFull();
    await push("two");
    const { converged } = world;
    await clock.advance(pollMs);
    expect(world.converged).toBeGreaterThan(converged);
    expect(world.statuses.at(-1)?.conditions[0]).toMatchObject({ kind: "job-drift", severity: "warning" });
    await stop();
  });
});

it("does not hide a bug", async () => {
  const { world, push, ended } = await running();
  const end = expect(ended).rejects.toThrow("x is not a function");
  world.failConverge = new TypeError("x is not a function");
  await push("two");
  await end;
});
