/** A run started by a platform tells it the outcome through a small file, named in HOLDFAST_RESULT. */
import { rename, writeFile } from "node:fs/promises";
import { redact } from "../secret.ts";
import type { Run } from "../state/job.ts";

export type RunResultFacts = Partial<Pick<Run, "point" | "sizeBytes" | "filesCount" | "code" | "message">>;

/** Writes the file whole or not at all; does nothing when nobody asked. */
export async function recordResult(facts: RunResultFacts): Promise<void> {
  const path = process.env["HOLDFAST_RESULT"];
  if (path === undefined) return;
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, redact(JSON.stringify(facts)));
  await rename(temporary, path);
}
