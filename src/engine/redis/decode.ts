/** A point's files as a server wants them: a snapshot, and a set of append-only files beside it. */
import { link, mkdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactSource } from "../../catalogue/artifact.ts";
import type { Artifact, Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { manifestFor, parseManifest, setFolder, setManifest } from "./append-only.ts";
import { snapshotArtifact } from "./capture.ts";
import { checkSet, checkSnapshot } from "./checkers.ts";

const snapshotAsBase = "appendonly.aof.1.base.rdb";

/** Decodes everything into `directory` and lets the vendor's checkers judge. */
export async function decode(
  context: EngineContext,
  manifest: Manifest,
  source: ArtifactSource,
  directory: string,
): Promise<readonly Check[]> {
  const snapshot = join(directory, snapshotArtifact);
  context.step(`decoding the snapshot of ${manifest.id}`);
  await source.intoFile(artifactOf(manifest, snapshotArtifact), snapshot);
  await cutEndMark(manifest, snapshot);
  const set = join(directory, setFolder);
  await mkdir(set, { mode: 0o700 });
  const checks = [await checkSnapshot(context, snapshot)];
  if (!hasSet(manifest)) {
    await link(snapshot, join(set, snapshotAsBase));
    await writeFile(join(set, setManifest), manifestFor(snapshotAsBase));
    return checks;
  }
  const text = Buffer.from(await source.bytes(artifactOf(manifest, setManifest))).toString("utf8");
  const names = parseManifest(text);
  for (const name of names) await source.intoFile(artifactOf(manifest, name), join(set, name));
  await writeFile(join(set, setManifest), text);
  return [...checks, await checkSet(context, join(set, setManifest), names)];
}

/** The point holds the append-only file besides its snapshot, and that one is newer. */
export function hasSet(manifest: Manifest): boolean {
  return manifest.artifacts.some((a) => a.name === setManifest);
}

/** @throws manifest-invalid */
export function artifactOf(manifest: Manifest, name: string): Artifact {
  const found = manifest.artifacts.find((a) => a.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} names no '${name}'`);
}

/** Behind the snapshot the server's end mark came through the pipe, which a file of commands may not have. */
async function cutEndMark(manifest: Manifest, path: string): Promise<void> {
  const snapshotBytes = Number(manifest.engine["snapshotBytes"]);
  const { size } = await stat(path);
  if (!Number.isInteger(snapshotBytes) || snapshotBytes <= 0 || snapshotBytes > size) {
    throw new HoldfastError(
      "data-damaged",
      `the snapshot of ${manifest.id} has ${size} bytes, its manifest says ${String(manifest.engine["snapshotBytes"])}`,
    );
  }
  await truncate(path, snapshotBytes);
}
