/** A clock that is set by hand: waits end when `advance` has passed them. */
import type { Clock } from "../../src/time/clock.ts";

export interface HandClock extends Clock {
  /** Moves on and lets everything that was due run. */
  advance(ms: number): Promise<void>;
}

export function handClock(startMs = Date.parse("2026-11-23T12:00:00Z")): HandClock {
  let nowMs = startMs;
  const waiting = new Set<{ readonly atMs: number; readonly ring: () => void }>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    nowMs: () => nowMs,
    wait: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        const entry = { atMs: nowMs + durationMs, ring: () => resolve() };
        waiting.add(entry);
        signal?.addEventListener("abort", () => {
          if (waiting.delete(entry)) reject(signal.reason);
        });
      }),
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        const next = [...waiting].filter((w) => w.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.atMs);
        waiting.delete(next);
        next.ring();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}
