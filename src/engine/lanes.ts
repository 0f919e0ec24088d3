/** Many small requests at once, but not too many. */

const lanesCount = 8;

/** `work` of every item, in order; the first failure is thrown when no lane works any more. */
export async function mapInLanes<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(lanesCount, items.length) }, lane);
  const ends = await Promise.allSettled(lanes);
  const failure = ends.find((e) => e.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return results;
}
