/** Works that run at the same time and end together: none goes on when another has failed. */

/**
 * What each of `works` gives, in order. The first failure aborts the signal the others were given, and is thrown when
 * all have ended. `signal` aborts them too.
 */
export async function together<T extends readonly unknown[]>(
  signal: AbortSignal,
  works: { readonly [K in keyof T]: (signal: AbortSignal) => Promise<T[K]> },
): Promise<T> {
  const givenUp = new AbortController();
  const both = AbortSignal.any([signal, givenUp.signal]);
  const failures: unknown[] = [];
  const run = async (work: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> => {
    try {
      return await work(both);
    } catch (error) {
      failures.push(error);
      givenUp.abort();
      return undefined;
    }
  };
  const results = await Promise.all(works.map(run));
  if (failures.length > 0) throw failures[0];
  return results as unknown as T;
}
