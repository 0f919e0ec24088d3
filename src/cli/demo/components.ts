/** The components the demo shows besides PostgreSQL: one line each, in the order of a full-stack restore. */
import type { DemoComponent } from "./component.ts";
import { redisInDemo } from "./redis.ts";

export const demoComponents: readonly DemoComponent[] = [redisInDemo];
