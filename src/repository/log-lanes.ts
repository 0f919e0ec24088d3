/** Work on a long list, a few pieces at a time, that tells as it goes how far it has come without a gap. */

/**
 * `work` of every piece, `lanesCount` at once. `onDone` is told how many pieces from the first on are done: one call
 * at a time, and what is done meanwhile comes with the next one.
 * @throws the first failure, when no lane works any more and all that was done without a gap has been told
 */
export async function inLanes<T>(
  pieces: readonly T[],
  lanesCount: number,
  work: (piece: T, lane: number) => Promise<void>,
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
  const lane = async (number: number): Promise<void> => {
    for (const [index, piece] of queue) {
      if (failures.length > 0) return;
      try {
        await work(piece, number);
        done[index] = true;
        telling ??= tell();
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanesCount, pieces.length) }, (_, number) => lane(number)));
  await telling;
  await tell();
  if (failures.length > 0) throw failures[0];
}
