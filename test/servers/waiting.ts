/** Waiting on real servers: for a while, or until something holds. */

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** @throws when it has not come true in time */
export async function until(isTrue: () => Promise<boolean> | boolean, deadlineMs = 30_000): Promise<void> {
  const giveUpAtMs = Date.now() + deadlineMs;
  while (!(await isTrue())) {
    if (Date.now() > giveUpAtMs) throw new Error(`did not come true in ${deadlineMs} ms: ${isTrue}`);
    await pause(100);
  }
}
