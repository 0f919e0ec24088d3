/** Bounds on time that hold on a busy machine too. */

/** Milliseconds of processor this thread has used so far; what the machine does for others meanwhile does not count. */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
