/** Level 3: everything decoded into a folder that goes away, judged by redis-check-rdb and redis-check-aof. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { decode } from "./decode.ts";

export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "there is no point to look at");
  const directory = join(context.workDirectory, "inspect");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    return await decode(context, member.manifest, member.source, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
