/** A run started by a platform tells it the outcome through a small file, named in HOLDFAST_RESULT. */
import { rename, writeFile } from "node:fs/promises";
import { redact } from "../secret.ts";
import type { Run } from "../state/job.ts";

export type RunResultFacts = Partial<Pick<Run, "point" | "sizeBytes" | "filesCount" | "code" | "message">>;

/** Writes the file, whole or not at all where its folder allows; does nothing when nobody asked. */
export async function recordResult(facts: RunResultFacts): Promise<void> {
  const path = process.env["HOLDFAST_RESULT"];
  if (path === undefined) return;
  const temporary = `${path}.${process.pid}`;
  const text = redact(JSON.stringify(facts));
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch {
    // A file that is mounted by itself, as a container's is, has no neighbours and is read after the end only.
    await writeFile(path, text);
  }
}
