/** When an acceptance ends: its last day counts whole, in UTC. */
const dayMs = 86_400_000;

/** Whether the last day, an ISO date, is over. */
export function isOver(until: string, nowMs: number): boolean {
  return !(Date.parse(`${until}T00:00:00Z`) + dayMs > nowMs);
}
