/** Waiting on real servers: for a while, or until something holds. */
import type { ChildProcess } from "node:child_process";

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** @throws when it has not come true in time, which a busy machine has to have enough of */
export async function until(isTrue: () => Promise<boolean> | boolean, deadlineMs = 60_000): Promise<void> {
  const giveUpAtMs = Date.now() + deadlineMs;
  while (!(await isTrue())) {
    if (Date.now() > giveUpAtMs) throw new Error(`did not come true in ${deadlineMs} ms: ${isTrue}`);
    await pause(100);
  }
}

/** Ends a child of the test by `kill -9` and waits until it is gone. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exit;
}
