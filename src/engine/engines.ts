/**
 * The engines there are: one line each. A component without a line is checked and not yet run. An engine is
 * loaded when it is asked for: a run of one component has no use for the drivers of the six others.
 */
import type { ComponentKind } from "../component.ts";
import type { Engine } from "./engine.ts";

const list: Partial<Readonly<Record<ComponentKind, () => Promise<Engine>>>> = {
  postgresql: async () => (await import("./postgresql/engine.ts")).postgresql,
  mongodb: async () => (await import("./mongodb/engine.ts")).mongodb,
  redis: async () => (await import("./redis/engine.ts")).redis,
  clickhouse: async () => (await import("./clickhouse/engine.ts")).clickhouse,
  s3: async () => (await import("./s3/engine.ts")).s3,
  secrets: async () => (await import("./secrets/engine.ts")).secrets,
  kubernetes: async () => (await import("./velero/engine.ts")).velero,
};

export const builtKinds = Object.keys(list) as readonly ComponentKind[];

const loaded = new Map<ComponentKind, Engine>();

/** Undefined for a component whose engine does not exist. */
export async function loadEngine(kind: ComponentKind): Promise<Engine | undefined> {
  const engine = await list[kind]?.();
  if (engine !== undefined) loaded.set(kind, engine);
  return engine;
}

/** Undefined until somebody in this process has asked for it. */
export function loadedEngine(kind: ComponentKind): Engine | undefined {
  return loaded.get(kind);
}
