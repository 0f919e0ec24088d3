/** Work on a long list in two stages, a few pieces at a time, that tells as it goes how far it has come without a gap. */

/** Both are given the number of their lane, and whether it is their lane's odd or even piece. */
export interface Stages<T, P> {
  prepare(piece: T, lane: number, parity: number): Promise<P>;
  /** Of one lane never two at once, and always in the order in which they were prepared. */
  finish(prepared: P, lane: number): Promise<void>;
}

/**
 * `lanesCount` lanes each take the next piece and finish it while they prepare the one after it. `onDone` is told
 * how many pieces from the first on are done: one call at a time, and what is done meanwhile comes with the next one.
 * @throws the first failure, when no lane works any more and all that was done without a gap has been told
 */
export async function inLanes<T, P>(
  pieces: readonly T[],
  lanesCount: number,
  stages: Stages<T, P>,
  onDone: (doneCount: number) => Promise<void>,
): Promise<void> {
  const done = pieces.map(() => false);
  const queue = pieces.entries();
  const failures: unknown[] = [];
  let telling: Promise<void> | undefined;
  let told = 0;

  const tell = async (): Promise<void> => {
    try {
      for (;;) {
        const gap = done.indexOf(false);
        const doneCount = gap === -1 ? done.length : gap;
        if (doneCount === told) return;
        told = doneCount;
        await onDone(doneCount);
      }
    } catch (error) {
      failures.push(error);
    } finally {
      telling = undefined;
    }
  };
  const finish = async (index: number, prepared: P, lane: number): Promise<void> => {
    await stages.finish(prepared, lane);
    done[index] = true;
    telling ??= tell();
  };
  const lane = async (number: number): Promise<void> => {
    let finishing = Promise.resolve();
    let parity = 0;
    for (const [index, piece] of queue) {
      if (failures.length > 0) break;
      try {
        const prepared = await stages.prepare(piece, number, parity);
        await finishing;
        finishing = finish(index, prepared, number).catch((error: unknown) => void failures.push(error));
        parity = 1 - parity;
      } catch (error) {
        failures.push(error);
      }
    }
    await finishing;
  };
  await Promise.all(Array.from({ length: Math.min(lanesCount, pieces.length) }, (_, number) => lane(number)));
  await telling;
  await tell();
  if (failures.length > 0) throw failures[0];
}
