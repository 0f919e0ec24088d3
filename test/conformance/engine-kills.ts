/**
 * A capture killed with `kill -9` at random moments, for every engine: what is listed afterwards is whole, the next
 * capture goes through at once, and no program of the vendor's goes on. HOLDFAST_KILLS sets how many have to hit a
 * living capture (50 in the published runs), HOLDFAST_SEED which moments.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backup } from "../../src/operate/backup.ts";
import { verify } from "../../src/operate/verify.ts";
import { seed } from "../seed.ts";
import { until } from "../servers/waiting.ts";
import { openWorld, type TestWorld } from "../servers/world.ts";
import type { CaptureOrder } from "./capture-child.ts";
import type { EngineFixture } from "./engine.ts";
import { seededRandom } from "./store.ts";

const kills = Number(process.env["HOLDFAST_KILLS"] ?? 6);
const program = join(import.meta.dirname, "capture-child.ts");
/** A kill that comes too late shows nothing and says how long captures take now; so many may be needed for one hit. */
const triesPerKill = 5;

/** Call it beside `engineConformance`, with the same fixture. */
export function engineKills(name: string, open: () => Promise<EngineFixture>): void {
  describe(`${name} killed in the middle (seed ${seed})`, () => {
    let fixture: EngineFixture;
    let test: TestWorld;
    let beside: { stop(): Promise<void> } | undefined;
    let slotAtMs = Date.parse("2026-11-20T00:00:00Z");

    beforeAll(async () => {
      fixture = await open();
      const options = fixture.store === undefined ? {} : { store: fixture.store };
      // What is written between the kills may halve the data, and that is no fault here.
      const verification = { ...fixture.policy.verification, minimumSizeRatio: 0.01 };
      test = await openWorld({ ...fixture.policy, verification, canaryEveryMs: 0 }, options);
      beside = fixture.beside?.(test);
    }, 180_000);
    afterAll(async () => {
      await beside?.stop();
      await test?.close();
      await fixture?.close();
    });

    it(`leaves no point that is not whole in ${kills} kills`, async () => {
      const random = seededRandom(seed);
      let usualMs = await lifeOf(test, nextSlot());
      let alive = 0;
      let tries = 0;
      for (; alive < kills && tries < kills * triesPerKill; tries += 1) {
        await fixture.write();
        // Node's own start is a third of it, and dying there shows nothing.
        const afterMs = usualMs * (0.25 + random() * 0.9);
        const { livedMs, programs } = await killed(test, nextSlot(), afterMs);
        // The first capture of a server can take several times as long as those after it.
        if (livedMs === undefined) alive += 1;
        else usualMs = livedMs;
        await until(() => programs.every((pid) => !isThere(pid)), 20_000);
        const reader = await test.reopen();
        const { points, complete, unreadable } = await (await reader.repository(test.policy)).catalogue();
        expect([complete, unreadable]).toEqual([true, []]);
        const newest = points.at(-1)?.manifest.id ?? "";
        const { ok, verdict } = await verify(reader, test.policy, { level: 2, point: newest });
        expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
        expect(ok).toBe(true);
        await reader.close();
      }
      const next = await backup(test.world, test.policy, { slotAtMs: nextSlot(), full: true });
      expect(next.outcome).toBe("captured");
      const { ok, verdict } = await verify(test.world, test.policy, { level: 4, point: next.point });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(ok).toBe(true);
      const { points } = await (await test.world.repository(test.policy)).catalogue();
      console.log(
        `HOLDFAST_SEED=${seed}: ${alive} of ${tries} kills hit a living capture of ${name}, which takes ${Math.round(usualMs)} ms; ${points.length} points, each whole`,
      );
      expect(alive).toBe(kills);
    }, 900_000);

    function nextSlot(): number {
      slotAtMs += 3_600_000;
      return slotAtMs;
    }
  });
}

function start(test: TestWorld, slotAtMs: number) {
  const order: CaptureOrder = { set: test.world.set, state: join(test.folder, "killed"), slotAtMs };
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, HOLDFAST_ORDER: JSON.stringify(order) },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const lived = new Promise<number>((resolve) =>
    child.once("exit", () => resolve(performance.now() - startedMs)),
  );
  const end = new Promise<number | null>((resolve) => child.once("close", (status) => resolve(status)));
  return { child, end, lived, said: () => said };
}

/** Milliseconds that a capture takes which nobody kills. @throws Error with the child's words when it fails */
async function lifeOf(test: TestWorld, slotAtMs: number): Promise<number> {
  const { end, lived, said } = start(test, slotAtMs);
  if ((await end) !== 0) throw new Error(said());
  return lived;
}

/** `livedMs` of a capture that had ended before its kill, undefined of one that was hit. */
async function killed(test: TestWorld, slotAtMs: number, afterMs: number) {
  const { child, end, lived } = start(test, slotAtMs);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const programs = descendantsOf(child.pid ?? -1);
  const isAlive = child.exitCode === null && child.signalCode === null;
  child.kill("SIGKILL");
  await end;
  return { livedMs: isAlive ? undefined : await lived, programs };
}

/** Processes `pid` has started, and theirs. */
function descendantsOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      parents.set(Number(name), Number(fields[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found: number[] = [];
  for (let next = [pid]; next.length > 0; ) {
    next = [...parents].filter(([, parent]) => next.includes(parent)).map(([child]) => child);
    found.push(...next);
  }
  return found;
}

/** A process that has ended and that nobody has looked at is gone as well. */
function isThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
