/** One of the two ways; what it gives is called when the clock has stopped, to clean up. */
type Work = () => Promise<(() => Promise<void> | void) | void>;

/** Two ways to do the same, in turn, so that what else the machine does falls on both; medians of their seconds. */
export async function inTurn(
  bare: Work,
  ours: Work,
  rounds: number,
): Promise<{
  readonly rounds: number;
  readonly bareSeconds: number;
  readonly holdfastSeconds: number;
  readonly ofBare: number;
}> {
  const seconds: Record<"bare" | "holdfast", number[]> = { bare: [], holdfast: [] };
  const timed = async (work: Work): Promise<number> => {
    const startedMs = performance.now();
    const after = await work();
    const took = (performance.now() - startedMs) / 1000;
    await after?.();
    return took;
  };
  // The first of each warms caches and counts for nothing.
  await timed(bare);
  await timed(ours);
  for (let round = 0; round < rounds; round += 1) {
    seconds.bare.push(await timed(bare));
    seconds.holdfast.push(await timed(ours));
  }
  const [b, h] = [median(seconds.bare), median(seconds.holdfast)];
  return { rounds, bareSeconds: b, holdfastSeconds: h, ofBare: thousandths(h / b) };
}

function median(values: readonly number[]): number {
  return thousandths([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
