/** The engines there are: one line each. A component without a line is checked and not yet run. */
import type { ComponentKind } from "../component.ts";
import { clickhouse } from "./clickhouse/engine.ts";
import type { Engine } from "./engine.ts";
import { mongodb } from "./mongodb/engine.ts";
import { postgresql } from "./postgresql/engine.ts";
import { redis } from "./redis/engine.ts";
import { s3 } from "./s3/engine.ts";
import { secrets } from "./secrets/engine.ts";
import { velero } from "./velero/engine.ts";

const list: readonly Engine[] = [postgresql, mongodb, redis, clickhouse, s3, secrets, velero];

export const engines: Partial<Readonly<Record<ComponentKind, Engine>>> = Object.fromEntries(
  list.map((engine) => [engine.kind, engine]),
);

export const builtKinds: readonly ComponentKind[] = list.map((engine) => engine.kind);
