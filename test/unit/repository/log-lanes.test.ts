import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inLanes } from "../../../src/repository/log-lanes.ts";

const pieces = (count: number) => Array.from({ length: count }, (_, i) => i);
const nothing = async () => undefined;

describe("work in lanes", () => {
  it("does every piece once, in two stages that overlap within a lane and never meet themselves", async () => {
    let overlaps = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat(3)),
        async (count, lanesCount, pauses) => {
          const finished: number[] = [];
          const preparing = new Map<number, number>();
          const finishing = new Map<number, number>();
          const stages = {
            prepare: async (piece: number, lane: number, parity: number) => {
              expect(lane).toBeLessThan(lanesCount);
              expect(preparing.has(lane)).toBe(false);
              // What the other stage has of this lane lies in the other place.
              expect(finishing.get(lane)).not.toBe(parity);
              if (finishing.has(lane)) overlaps += 1;
              preparing.set(lane, parity);
              await sleep(pauses.next().value);
              preparing.delete(lane);
              return { piece, parity };
            },
            finish: async ({ piece, parity }: { piece: number; parity: number }, lane: number) => {
              expect(finishing.has(lane)).toBe(false);
              finishing.set(lane, parity);
              await sleep(pauses.next().value);
              finishing.delete(lane);
              finished.push(piece);
            },
          };
          await inLanes(pieces(count), lanesCount, stages, nothing);
          expect(finished.sort((a, b) => a - b)).toEqual(pieces(count));
        },
      ),
      { numRuns: 30 },
    );
    expect(overlaps).toBeGreaterThan(0);
  });

  it("tells only what is done without a gap, one call at a time, and the whole at the end", async () => {
    const done = new Set<number>();
    const told: number[] = [];
    let isTelling = false;
    const stages = {
      prepare: async (piece: number) => piece,
      finish: async (piece: number) => {
        // The first of each three is the slowest.
        await sleep(piece % 3 === 0 ? 12 : 1);
        done.add(piece);
      },
    };
    await inLanes(pieces(9), 3, stages, async (doneCount) => {
      expect(isTelling).toBe(false);
      isTelling = true;
      expect(pieces(doneCount).every((piece) => done.has(piece))).toBe(true);
      await sleep(5);
      told.push(doneCount);
      isTelling = false;
    });
    expect(told.at(-1)).toBe(9);
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  });

  it.each(["prepare", "finish"] as const)(
    "after a failure to %s it takes nothing more, tells what is done before the gap, and throws when all have ended",
    async (stage) => {
      const prepared: number[] = [];
      const finished: number[] = [];
      const told: number[] = [];
      let working = 0;
      const work = async (piece: number, at: "prepare" | "finish") => {
        working += 1;
        await sleep(piece === 4 ? 1 : 10);
        working -= 1;
        if (piece === 4 && at === stage) throw new Error("the fifth");
      };
      const stages = {
        prepare: async (piece: number) => {
          prepared.push(piece);
          await work(piece, "prepare");
          return piece;
        },
        finish: async (piece: number) => {
          finished.push(piece);
          await work(piece, "finish");
        },
      };
      const failing = inLanes(pieces(30), 3, stages, async (doneCount) => void told.push(doneCount));
      await expect(failing).rejects.toThrow("the fifth");
      expect(working).toBe(0);
      expect(prepared.length).toBeLessThan(12);
      // Whatever was prepared is finished, or its place would be left behind.
      const failed = stage === "prepare" ? [4] : [];
      expect(finished.sort((a, b) => a - b)).toEqual(
        prepared.filter((p) => !failed.includes(p)).sort((a, b) => a - b),
      );
      expect(told.at(-1)).toBe(4);
    },
  );

  it("stops when it cannot tell", async () => {
    const prepared: number[] = [];
    const stages = {
      prepare: async (piece: number) => {
        prepared.push(piece);
        await sleep(2);
      },
      finish: nothing,
    };
    const failing = inLanes(pieces(50), 2, stages, () => Promise.reject(new Error("nobody listens")));
    await expect(failing).rejects.toThrow("nobody listens");
    expect(prepared.length).toBeLessThan(10);
  });
});
