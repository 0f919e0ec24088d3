/** The watch of a policy triggered by change, on a real folder store; the source is a counter in memory. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/engine/engine.ts";
import { HoldfastError } from "../../../src/errors.ts";
import type { BackupOutcome } from "../../../src/operate/backup.ts";
import { watch } from "../../../src/operate/watch.ts";
import type { World } from "../../../src/operate/world.ts";
import type { Schedule } from "../../../src/policy/model.ts";
import { pause, until } from "../../servers/waiting.ts";
import { openWorld, policyFor, type TestWorld } from "../../servers/world.ts";

const schedule = { kind: "change", debounceMs: 300, atLeastEveryMs: 3_600_000 } as const satisfies Schedule;

describe("watch", () => {
  let test: TestWorld;
  let stop: AbortController;
  let world: World;
  let tell: (what: string) => void;
  let failNext: HoldfastError | undefined;
  let captured: { readonly outcome: BackupOutcome; readonly why: string }[];

  /** As much of an engine as a watch meets. */
  const engine: Pick<Engine, "watch" | "capture" | "canary"> = {
    async watch(context, newest, onChange) {
      tell = onChange;
      if (newest?.manifest.engine["value"] === 7) onChange("the source had changed before");
      await new Promise<void>((resolve) => context.signal.addEventListener("abort", () => resolve()));
    },
    async capture(_context, request, sink) {
      if (failNext !== undefined) throw failNext;
      await sink.fromBytes("value", Buffer.from("value"));
      return {
        capture: "full",
        parents: [],
        filesCount: 1,
        tools: {},
        server: { version: "1", identity: "counter" },
        restoreNeeds: { diskBytes: 5, memoryBytes: 0 },
        engine: { value: 7 },
        consistentAt: request.slotAt,
      };
    },
    canary: () => Promise.reject(new Error("a canary that cannot be written must not end the watch")),
  };

  beforeEach(async () => {
    stop = new AbortController();
    const policy = { ...policyFor({ port: 1, binDirectory: "" }, { schedule, canaryEveryMs: 50 }) };
    const { log: _, ...withoutLog } = policy;
    test = await openWorld(withoutLog, { signal: stop.signal });
    world = Object.assign(Object.create(test.world) as World, { engine: () => engine as Engine });
    captured = [];
    failNext = undefined;
  });
  afterEach(async () => {
    stop.abort();
    await test.close();
  });

  const begin = (): Promise<void> =>
    watch(world, test.policy, (outcome, why) => captured.push({ outcome, why }));

  it("captures at once where there is no point, then once per burst of changes", async () => {
    // The quiet time is over when the test says so; other waits are real.
    const quiet: (() => void)[] = [];
    const { clock } = world;
    const wait: typeof clock.wait = (ms, signal) =>
      ms === schedule.debounceMs
        ? new Promise((resolve) => {
            quiet.push(resolve);
            signal?.addEventListener("abort", () => resolve(), { once: true });
          })
        : clock.wait(ms, signal);
    Object.assign(world, { clock: { nowMs: () => clock.nowMs(), wait } });
    const watching = begin();
    await until(() => captured.length === 1);
    await pause(1100);
    tell("secret/a");
    await until(() => quiet.length === 1);
    tell("secret/b");
    await until(() => quiet.length === 2);
    expect(captured).toHaveLength(1);
    quiet[1]?.();
    await until(() => captured.length === 2);
    await pause(1000);
    expect(captured.map((c) => [c.outcome.outcome, c.why])).toEqual([
      ["captured", "the longest time between two captures has gone by"],
      ["captured", "secret/b"],
    ]);
    stop.abort();
    await watching;
  });

  it("loses no change that comes in the second of the last point", async () => {
    // A clock that stands still but for short waits: the change comes in the very second of the first point.
    let nowMs = Math.floor(Date.now() / 1000) * 1000;
    const { clock } = world;
    const still: typeof clock = {
      nowMs: () => nowMs,
      wait: async (ms, signal) => {
        await clock.wait(ms > 1000 ? ms : Math.min(ms, 20), signal);
        if (ms <= 1000) nowMs += ms;
      },
    };
    Object.assign(world, { clock: still });
    const hasty = { ...test.policy, schedule: { ...schedule, debounceMs: 0 }, canaryEveryMs: 0 };
    const watching = watch(world, hasty, (outcome, why) => captured.push({ outcome, why }));
    await until(() => captured.length === 1);
    tell("secret/a");
    await until(() => captured.length === 2);
    expect(captured[1]).toMatchObject({ outcome: { outcome: "captured" }, why: "secret/a" });
    expect(captured[1]?.outcome.point).not.toBe(captured[0]?.outcome.point);
    stop.abort();
    await watching;
  });

  it("is told of a change that went by while nobody watched", async () => {
    const first = begin();
    await until(() => captured.length === 1);
    stop.abort();
    await first;
    stop = new AbortController();
    world = Object.assign(Object.create(await test.reopen({}, stop.signal)) as World, {
      engine: () => engine as Engine,
    });
    await pause(1100);
    const second = begin();
    await until(() => captured.length === 2);
    expect(captured[1]?.why).toBe("the source had changed before");
    stop.abort();
    await second;
  });

  it("ends with the cause of a capture that failed, and a second watch is refused", async () => {
    const watching = begin();
    await until(() => captured.length === 1);
    await expect(watch(world, test.policy, () => {})).rejects.toMatchObject({ code: "locked" });
    failNext = new HoldfastError("source-unreachable", "nobody there");
    tell("secret/a");
    await expect(watching).rejects.toMatchObject({ code: "source-unreachable" });
    const repository = await (await test.reopen()).repository(test.policy);
    expect((await repository.catalogue()).points).toHaveLength(1);
  });

  it("is refused for a policy triggered by cron", async () => {
    const cron = {
      ...test.policy,
      schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Etc/UTC" } as const,
    };
    await expect(watch(world, cron, () => {})).rejects.toMatchObject({ code: "usage" });
  });
});
