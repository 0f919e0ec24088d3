/** One small config map that carries the present instant, in the first namespace the policy names. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { EngineContext } from "../engine.ts";
import { openCluster } from "./cluster.ts";
import { settingsOf, strictNamespaces, type VeleroSettings } from "./settings.ts";

export const canaryName = "holdfast-canary";

export function canaryNamespace(settings: VeleroSettings): string {
  return strictNamespaces(settings)[0] ?? "default";
}

/** After it the cluster holds the returned instant. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  const cluster = await openCluster(context, context.signal);
  const at = instant(context.clock.nowMs());
  const namespace = canaryNamespace(settingsOf(context.policy));
  await cluster.apply(
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: canaryName, namespace }, data: { at } },
    true,
  );
  return at;
}
