/** What the newest canary in a restored server says: how much a disaster would have cost. */
import { type Instant, instant } from "../catalogue/instant.ts";
import type { Check, Measurements } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";

export interface CanaryOutcome {
  readonly checks: readonly Check[];
  readonly measured: Measurements;
}

/**
 * Pure. `endAtMs` is the recovery target where `isExact`, else when the drill began; what was stored after that comes
 * along, and then nothing of before is missing: the measured recovery point is zero and never less.
 */
export function judgeCanary(
  { rpoMs }: Pick<Policy["objectives"], "rpoMs">,
  lastCanaryAt: Instant | undefined,
  endAtMs: number,
  isExact: boolean,
): CanaryOutcome {
  const targetAt = instant(endAtMs);
  if (lastCanaryAt === undefined) {
    const detail = "no canary in the restored data: the recovery point is unknown";
    return { checks: [{ name: "canary", ok: false, detail }], measured: { targetAt } };
  }
  const behindSeconds = (endAtMs - Date.parse(lastCanaryAt)) / 1000;
  const rpoSeconds = isExact ? behindSeconds : Math.max(0, behindSeconds);
  const checks: Check[] = [];
  if (isExact) {
    checks.push({
      name: "stopped at the target",
      ok: rpoSeconds >= 0,
      detail:
        rpoSeconds >= 0
          ? `nothing after ${targetAt}`
          : `a canary of ${lastCanaryAt} is there, after ${targetAt}`,
    });
  }
  checks.push({
    name: "recovery point",
    ok: rpoSeconds * 1000 <= rpoMs,
    detail: `last canary ${lastCanaryAt}, ${rpoSeconds.toFixed(1)} s behind ${isExact ? "the target" : "the beginning of the drill"} at ${targetAt}, target ${rpoMs / 1000} s`,
  });
  return { checks, measured: { rpoSeconds, lastCanaryAt, targetAt } };
}
