/**
 * Restores into a folder a server can start on as it is, with the append-only file on or off. A server with it on
 * never looks at a snapshot; so where the point has no set of its own, the snapshot becomes the base of one.
 */
import { mkdir, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, Restored, RestoreRequest } from "../engine.ts";
import { requirePoint } from "../point-target.ts";
import { requireEmpty } from "../target-folder.ts";
import { snapshotArtifact } from "./capture.ts";
import { decode } from "./decode.ts";

/** Nobody has this port by accident; a person may choose another. */
const usualPort = 6380;

/** @throws as the contract says */
export async function restore(context: EngineContext, given: RestoreRequest): Promise<Restored> {
  const directory = resolve(given.directory);
  const member = given.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  const { manifest, source } = member;
  await requireEmpty(directory);
  requirePoint("Redis is", given.target, manifest);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const checks = await decode(context, manifest, source, directory);
  return {
    directory,
    restoredBytes: await sizeOf(directory),
    startCommand: startCommand(directory),
    checks,
  };
}

async function sizeOf(directory: string): Promise<number> {
  const files = new Map<number, number>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name));
    files.set(found.ino, found.size);
  }
  return [...files.values()].reduce((sum, size) => sum + size, 0);
}

function startCommand(directory: string): string {
  const folder = shellWord(directory);
  return `redis-server --dir ${folder} --dbfilename ${snapshotArtifact} --appendonly yes --bind 127.0.0.1 --port ${usualPort}`;
}
