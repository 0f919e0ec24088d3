/** The components the demo shows besides PostgreSQL: one line each, in the order of a full-stack restore. */
import type { DemoComponent } from "./component.ts";
import { mongodbInDemo } from "./mongodb.ts";
import { redisInDemo } from "./redis.ts";
import { s3InDemo } from "./s3.ts";
import { secretsInDemo } from "./secrets.ts";

export const demoComponents: readonly DemoComponent[] = [secretsInDemo, mongodbInDemo, redisInDemo, s3InDemo];
