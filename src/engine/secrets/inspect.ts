/** Level 3: an export decoded and compared by its fingerprints; a snapshot's own sums, which it carries inside. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { snapshotArtifact } from "./capture.ts";
import { checkedDocuments, snapshotOf } from "./restore.ts";

/** @see hashicorp/raft-boltdb's snapshot archive: a gzipped tar of meta.json, state.bin and SHA256SUMS */
export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "there is no point to look at");
  const snapshot = snapshotOf(member.manifest);
  if (snapshot === undefined) return [(await checkedDocuments(member)).check];
  const directory = join(context.workDirectory, "inspect");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    await member.source.intoFile(snapshot, join(directory, snapshotArtifact));
    return [await checkSums(context, directory)];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function checkSums(context: EngineContext, directory: string): Promise<Check> {
  const name = "snapshot sums";
  try {
    const options = { signal: context.signal, deadlineMs: context.policy.deadlineMs };
    await context.exec.run({ argv: ["tar", "-xzf", snapshotArtifact], cwd: directory }, options);
    await context.exec.run(
      { argv: ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd: directory },
      options,
    );
    return { name, ok: true, detail: "the archive is whole and its files have the sums it carries" };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
    return { name, ok: false, detail: error.message };
  }
}
