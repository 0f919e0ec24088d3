import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inLanes } from "../../../src/repository/log-lanes.ts";

const pieces = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("work in lanes", () => {
  it("does every piece once, never more at once than there are lanes, each lane one after the other", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat(3)),
        async (...given) => {
          const [count, lanesCount, pauses] = given;
          const worked: number[] = [];
          const busy = new Set<number>();
          await inLanes(
            pieces(count),
            lanesCount,
            async (piece, lane) => {
              expect(busy.has(lane)).toBe(false);
              busy.add(lane);
              expect(busy.size).toBeLessThanOrEqual(lanesCount);
              await sleep(pauses.next().value);
              busy.delete(lane);
              worked.push(piece);
            },
            async () => undefined,
          );
          expect(worked.sort((a, b) => a - b)).toEqual(pieces(count));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("tells only what is done without a gap, one call at a time, and the whole at the end", async () => {
    const done = new Set<number>();
    const told: number[] = [];
    let isTelling = false;
    await inLanes(
      pieces(9),
      3,
      async (piece) => {
        // The first of each three is the slowest.
        await sleep(piece % 3 === 0 ? 12 : 1);
        done.add(piece);
      },
      async (doneCount) => {
        expect(isTelling).toBe(false);
        isTelling = true;
        expect(pieces(doneCount).every((piece) => done.has(piece))).toBe(true);
        await sleep(5);
        told.push(doneCount);
        isTelling = false;
      },
    );
    expect(told.at(-1)).toBe(9);
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  });

  it("after a failure starts nothing more, tells what is done before the gap, and throws when all have ended", async () => {
    const started: number[] = [];
    const told: number[] = [];
    let working = 0;
    const failing = inLanes(
      pieces(20),
      3,
      async (piece) => {
        started.push(piece);
        working += 1;
        await sleep(piece === 4 ? 1 : 10);
        working -= 1;
        if (piece === 4) throw new Error("the fourth");
      },
      async (doneCount) => void told.push(doneCount),
    );
    await expect(failing).rejects.toThrow("the fourth");
    expect(working).toBe(0);
    expect(started.length).toBeLessThan(8);
    expect(told.at(-1)).toBe(4);
  });

  it("stops when it cannot tell", async () => {
    const started: number[] = [];
    const failing = inLanes(
      pieces(50),
      2,
      async (piece) => {
        started.push(piece);
        await sleep(2);
      },
      () => Promise.reject(new Error("nobody listens")),
    );
    await expect(failing).rejects.toThrow("nobody listens");
    expect(started.length).toBeLessThan(10);
  });
});
