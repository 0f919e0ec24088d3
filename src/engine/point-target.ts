/** Targets of components without a log: they come back to the state of a point and to nothing between two. */
import type { Manifest } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import type { RecoveryTarget } from "./engine.ts";

/**
 * An instant at or behind the point is reached by the point itself.
 * @param what as a sentence begins: "Redis is"
 * @throws target-unreachable for an earlier instant, and for a position or a name
 */
export function requirePoint(what: string, target: RecoveryTarget, manifest: Manifest): void {
  if (target.kind === "point" || target.kind === "latest") return;
  if (target.kind === "time" && Date.parse(target.at) >= Date.parse(manifest.consistentAt)) return;
  throw new HoldfastError(
    "target-unreachable",
    `${what} restored to the state of a point, and point ${manifest.id} is of ${manifest.consistentAt}`,
    { hint: "use --at TIME: Holdfast takes the newest point before it" },
  );
}
