/** The loop with a clock set by hand: what is applied when, and what a broken commit or remote changes. */
import { describe, expect, it } from "vitest";
import { HoldfastError } from "../../../src/errors.ts";
import { silent } from "../../../src/log.ts";
import {
  type Convergence,
  type Judgement,
  type LoopStatus,
  reconcile,
} from "../../../src/operate/reconcile.ts";
import type { Movement, Revision } from "../../../src/source/source.ts";
import { handClock } from "../../fakes/clock.ts";

const pollMs = 60_000;

function revision(commit: string, tree = `tree-${commit}`): Revision {
  return { commit, tree, committedAt: "2026-11-23T12:00:00Z", subject: "s", author: "a", files: [] };
}

function stage() {
  const clock = handClock();
  const controller = new AbortController();
  const world = {
    head: revision("one"),
    movement: undefined as Movement | undefined,
    isAway: false,
    judgement: { errors: [], removedPolicies: [] } as Judgement,
    convergence: { ok: true, transient: false, detail: "" } as Convergence,
    polls: 0,
    adopted: [] as string[],
    convergedAtMs: [] as number[],
    status: undefined as LoopStatus | undefined,
    endRun: undefined as (() => void) | undefined,
    acceptRewritten: undefined as string | undefined,
  };
  const done = () =>
    reconcile({
      source: {
        poll: async (known) => {
          world.polls += 1;
          if (world.isAway) throw new HoldfastError("source-unreachable", "no route");
          if (known === world.head.commit) return { movement: "unchanged" };
          return {
            movement: world.movement ?? (known === undefined ? "first" : "forward"),
            revision: world.head,
          };
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
      ...(world.acceptRewritten === undefined ? {} : { acceptRewritten: world.acceptRewritten }),
      loadKnown: async () => undefined,
      judgeRevision: async () => world.judgement,
      adopt: async (r) => {
        world.adopted.push(r.commit);
      },
      converge: async () => {
        world.convergedAtMs.push(clock.nowMs());
        return world.convergence;
      },
      nextRunEnd: (signal) =>
        new Promise((resolve, reject) => {
          world.endRun = resolve;
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
      onStatus: async (status) => {
        world.status = status;
      },
    });
  return { clock, controller, world, done };
}

async function running(prepare: (world: ReturnType<typeof stage>["world"]) => void = () => {}) {
  const s = stage();
  prepare(s.world);
  const ended = s.done();
  await s.clock.advance(1);
  const stop = async (): Promise<void> => {
    s.controller.abort();
    await ended;
  };
  return { ...s, stop };
}

describe("the loop", () => {
  it("applies the first commit at once and the next within one poll", async () => {
    const { clock, world, stop } = await running();
    expect(world.adopted).toEqual(["one"]);
    expect(world.convergedAtMs).toHaveLength(1);
    world.head = revision("two");
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one", "two"]);
    expect(world.status).toMatchObject({ state: "waiting", ok: true, revision: "two" });
    await stop();
  });

  it("only polls while nothing moves", async () => {
    const { clock, world, stop } = await running();
    await clock.advance(5 * pollMs);
    expect(world.polls).toBeGreaterThanOrEqual(5);
    expect(world.convergedAtMs).toHaveLength(1);
    await clock.advance(6 * pollMs);
    expect(world.convergedAtMs).toHaveLength(2);
    await stop();
  });

  it("keeps the last good policies under a broken commit, says so, and recovers with the next", async () => {
    const { clock, world, stop } = await running();
    world.head = revision("broken");
    world.judgement = { errors: ["a.yaml:3:1 schema/type: wrong"], removedPolicies: [] };
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one"]);
    expect(world.status).toMatchObject({
      state: "stalled",
      ok: false,
      revision: "one",
      seenCommit: "broken",
    });
    expect(world.status?.conditions[0]).toMatchObject({ kind: "policy-broken", severity: "critical" });
    expect(world.status?.conditions[0]?.message).toContain("a.yaml:3:1");
    world.head = revision("good");
    world.judgement = { errors: [], removedPolicies: [] };
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one", "good"]);
    expect(world.status?.conditions).toEqual([]);
    await stop();
  });

  it("does not apply a commit that lacks its review, and does with the next one that carries it", async () => {
    const { clock, world, stop } = await running();
    const unreviewed = { message: "makes something unrestorable", hint: "holdfast plan --base one" };
    world.judgement = { errors: [], removedPolicies: [], unreviewed };
    world.head = revision("shrinking");
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one"]);
    expect(world.status).toMatchObject({ state: "stalled", ok: false, revision: "one" });
    expect(world.status?.conditions[0]).toMatchObject({
      kind: "review-missing",
      severity: "critical",
      message: "commit shrinking makes something unrestorable; it is not applied, one stays in force",
      hint: "holdfast plan --base one",
    });
    // The same files, and a message that says the change was reviewed.
    world.head = revision("reviewed", "tree-shrinking");
    world.judgement = { errors: [], removedPolicies: [] };
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one", "reviewed"]);
    expect(world.status?.conditions).toEqual([]);
    await stop();
  });

  it("is well again when a broken commit is taken back", async () => {
    const { clock, world, stop } = await running();
    world.judgement = { errors: ["x"], removedPolicies: [] };
    world.head = revision("broken");
    await clock.advance(pollMs * 1.1);
    world.head = revision("revert", "tree-one");
    await clock.advance(pollMs * 1.1);
    expect(world.status).toMatchObject({ state: "waiting", ok: true });
    expect(world.adopted).toEqual(["one"]);
    await stop();
  });

  it("takes a commit beside the policies for no change", async () => {
    const { clock, world, stop } = await running();
    world.head = revision("report", "tree-one");
    await clock.advance(pollMs * 1.1);
    expect(world.adopted).toEqual(["one"]);
    expect(world.convergedAtMs).toHaveLength(1);
    await stop();
  });

  it("goes on under an unreachable remote and asks again with growing pauses", async () => {
    const { clock, world, stop } = await running();
    world.isAway = true;
    await clock.advance(pollMs * 1.1);
    expect(world.status).toMatchObject({ state: "unreachable", revision: "one", lastPollOk: false });
    const polls = world.polls;
    await clock.advance(40_000);
    expect(world.polls).toBeGreaterThan(polls);
    expect(world.polls).toBeLessThan(polls + 6);
    world.isAway = false;
    world.head = revision("two");
    await clock.advance(2 * pollMs);
    expect(world.adopted).toEqual(["one", "two"]);
    await stop();
  });

  it("does not follow a rewritten branch that loses a policy, unless it is told to", async () => {
    const prepare = (world: ReturnType<typeof stage>["world"]): void => {
      world.movement = "rewritten";
      world.judgement = { errors: [], removedPolicies: ["postgresql"] };
    };
    const refusing = await running((w) => {
      prepare(w);
    });
    expect(refusing.world.adopted).toEqual([]);
    expect(refusing.world.status?.conditions[0]?.hint).toContain("--accept-rewritten one");
    await refusing.stop();
    const told = await running((w) => {
      prepare(w);
      w.acceptRewritten = "one";
    });
    expect(told.world.adopted).toEqual(["one"]);
    await told.stop();
  });

  it("tries what failed for a passing reason again, with growing pauses", async () => {
    const { clock, world, stop } = await running((w) => {
      w.convergence = { ok: false, transient: true, detail: "store-unreachable: gone" };
    });
    await clock.advance(30_000);
    const gaps = world.convergedAtMs.slice(1).map((at, i) => at - (world.convergedAtMs[i] ?? 0));
    expect(gaps.length).toBeGreaterThanOrEqual(3);
    expect([...gaps].sort((a, b) => a - b)).toEqual(gaps);
    world.convergence = { ok: true, transient: false, detail: "" };
    await clock.advance(60_000);
    expect(world.status).toMatchObject({ ok: true, conditions: [] });
    await stop();
  });

  it("looks again as soon as a run has ended", async () => {
    const { clock, world, stop } = await running();
    await clock.advance(1000);
    world.endRun?.();
    await clock.advance(1);
    expect(world.convergedAtMs).toHaveLength(2);
    await stop();
  });
});
