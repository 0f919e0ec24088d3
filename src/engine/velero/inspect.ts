/** Level 3: the archive unpacks and holds what the inventory says; what the point is known to lack is named. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../../catalogue/manifest.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { resultArtifact } from "./capture.ts";
import type { Coverage } from "./coverage.ts";
import { gapText } from "./coverage.ts";
import { artifactOf, fetchAndCompare } from "./restore.ts";

export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const directory = join(context.workDirectory, "inspected");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { check } = await fetchAndCompare(context, request, directory);
  const member = request.chain[0];
  if (member === undefined) return [check];
  const bytes = await member.source.bytes(artifactOf(member.manifest, resultArtifact));
  const { coverage } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { coverage: Coverage };
  const { volumesCaptured, volumesExpected, missing, uncovered } = coverage;
  const lacks =
    uncovered.length === 0 ? "" : `; outside the production namespaces it lacks ${gapText(uncovered)}`;
  return [
    check,
    {
      name: "coverage",
      ok: missing.length === 0,
      detail: `${volumesCaptured} of ${volumesExpected} volumes${missing.length === 0 ? "" : `, it lacks ${gapText(missing)}`}${lacks}`,
    },
  ];
}
