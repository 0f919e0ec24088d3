/** The resident of a policy that is triggered by change: one capture per change, and one at least every so often. */
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import { type BackupOutcome, backup } from "./backup.ts";
import type { World } from "./world.ts";
import { writeCanaries } from "./write-canaries.ts";

const dayMs = 86_400_000;
/** Another run of the policy is under way; it may have begun before the change. */
const lockedPauseMs = 5_000;
/** Slots are whole seconds, and a slot holds one point. */
const slotMs = 1_000;

/**
 * Runs until the world's signal aborts. Changes that follow each other within the debounce time make one
 * point. A capture that fails ends it, so that whoever keeps it alive sees the failure and its cause.
 * @throws usage when the policy is triggered by cron or its engine cannot watch; locked when another watch is
 *   alive; whatever the capture throws
 */
export async function watch(
  world: World,
  policy: Policy,
  onCapture: (outcome: BackupOutcome, why: string) => void,
): Promise<void> {
  const engine = await world.engine(policy);
  if (policy.schedule.kind === "cron" || engine.watch === undefined) {
    throw new HoldfastError("usage", `policy '${policy.name}' is not triggered by change`, {
      hint: `holdfast backup ${policy.name} takes a point now`,
    });
  }
  const watchSource = engine.watch.bind(engine);
  const { debounceMs, atLeastEveryMs } =
    policy.schedule.kind === "change" ? policy.schedule : { debounceMs: 0, atLeastEveryMs: dayMs };
  const repository = await world.repository(policy);
  const lease = await repository.lock("watch", world.holder);
  const stop = new AbortController();
  try {
    const newest = (await repository.catalogue()).points.at(-1)?.manifest;
    const due = new Due(newest === undefined ? undefined : Date.parse(newest.slotAt), atLeastEveryMs);
    const watched =
      newest === undefined ? undefined : { manifest: newest, source: repository.source(newest) };
    const signals = [lease.signal, stop.signal];
    await world.withContext(policy, { keep: `watch-${policy.name}`, signals }, async (context) => {
      const parts = [
        watchSource(context, watched, (what) => due.changed(what)),
        capturesWhenDue(world, policy, due, debounceMs, context.signal, onCapture),
        ...(policy.canaryEveryMs > 0 ? [writeCanaries(world, policy, context.signal)] : []),
      ];
      // The first failure ends the others, and is the one to tell.
      await Promise.all(parts.map((part) => part.finally(() => stop.abort()))).catch(async (error) => {
        await Promise.allSettled(parts);
        throw error;
      });
    });
    if (lease.signal.aborted && !world.signal.aborted) {
      throw new HoldfastError("lock-lost", `the watch of '${policy.name}' lost its lock and stopped`);
    }
  } finally {
    await lease.release();
  }
}

/** When the next capture is due, and a bell that rings when that changes. */
class Due {
  #pending: string | undefined;
  #lastSlotMs: number | undefined;
  readonly #atLeastEveryMs: number;
  #ring: () => void = () => undefined;

  constructor(lastSlotMs: number | undefined, atLeastEveryMs: number) {
    this.#lastSlotMs = lastSlotMs;
    this.#atLeastEveryMs = atLeastEveryMs;
  }

  changed(what: string): void {
    this.#pending = what;
    this.#ring();
  }

  /** Resolves at the next change, or when the signal aborts. */
  change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  get pending(): string | undefined {
    return this.#pending;
  }

  /** Milliseconds until the time alone asks for a capture. */
  restMs(nowMs: number): number {
    return this.#lastSlotMs === undefined ? 0 : Math.max(0, this.#lastSlotMs + this.#atLeastEveryMs - nowMs);
  }

  /** Changes after this count for the next capture. */
  take(): void {
    this.#pending = undefined;
  }

  captured(slotMs: number): void {
    this.#lastSlotMs = slotMs;
  }
}

async function capturesWhenDue(
  world: World,
  policy: Policy,
  due: Due,
  debounceMs: number,
  signal: AbortSignal,
  onCapture: (outcome: BackupOutcome, why: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    if (due.pending === undefined && due.restMs(world.clock.nowMs()) > 0) {
      await changeOrTime(world, due, due.restMs(world.clock.nowMs()), signal);
      continue;
    }
    if (due.pending !== undefined) await quiet(world, due, debounceMs, signal);
    if (signal.aborted) return;
    const slotAtMs = Math.floor(world.clock.nowMs() / slotMs) * slotMs;
    const why = due.pending;
    due.take();
    try {
      const outcome = await backup(world, policy, { slotAtMs });
      due.captured(slotAtMs);
      if (outcome.outcome === "already" && why !== undefined) {
        // The point of this slot may have begun before the change: only a later slot can hold it.
        due.changed(why);
        await world.clock.wait(slotAtMs + slotMs - world.clock.nowMs(), signal).catch(() => undefined);
        continue;
      }
      onCapture(outcome, why ?? "the longest time between two captures has gone by");
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof HoldfastError) || error.code !== "locked") throw error;
      world.log.info("another run of the policy is under way; the capture waits", { policy: policy.name });
      if (why !== undefined) due.changed(why);
      await world.clock.wait(lockedPauseMs, signal).catch(() => undefined);
    }
  }
}

/** Resolves when nothing has changed for `debounceMs`; an unquiet source waits ten times that at most. */
async function quiet(world: World, due: Due, debounceMs: number, signal: AbortSignal): Promise<void> {
  const latestMs = world.clock.nowMs() + 10 * debounceMs;
  while (!signal.aborted && world.clock.nowMs() < latestMs) {
    const changed = await changeOrTime(world, due, debounceMs, signal);
    if (!changed) return;
  }
}

/** True when a change came before the time was over. */
async function changeOrTime(world: World, due: Due, waitMs: number, signal: AbortSignal): Promise<boolean> {
  const either = new AbortController();
  const both = AbortSignal.any([signal, either.signal]);
  try {
    return await Promise.race([
      due.change(both).then(() => !signal.aborted),
      world.clock.wait(waitMs, both).then(
        () => false,
        () => false,
      ),
    ]);
  } finally {
    either.abort();
  }
}
