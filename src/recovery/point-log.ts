/** Whether the stored log has what one point needs to become consistent. */
import type { LogArchive } from "../catalogue/catalogue.ts";
import type { Check, Manifest } from "../catalogue/manifest.ts";

/** One check that names each missing position; a partial segment at the very end counts as there. */
export function checkPointLog(
  manifest: Manifest,
  archive: LogArchive | undefined,
  nameOf: (branch: string, sequence: number) => string = (branch, sequence) => `${branch} number ${sequence}`,
): Check {
  const name = "log of the point";
  const need = manifest.log;
  if (need === undefined) return { name, ok: true, detail: "needs none" };
  const stored = new Map<number, string>();
  for (const segment of archive?.segments ?? []) {
    if (segment.branch === need.branch) stored.set(segment.sequence, segment.name);
  }
  const missing: number[] = [];
  for (let sequence = need.firstSequence; sequence <= need.lastSequence; sequence += 1) {
    if (!stored.has(sequence)) missing.push(sequence);
  }
  const count = need.lastSequence - need.firstSequence + 1;
  if (missing.length === 0)
    return {
      name,
      ok: true,
      detail: count === 1 ? "its one segment is there" : `all ${count} segments are there`,
    };
  const shown = missing
    .slice(0, 5)
    .map((sequence) => nameOf(need.branch, sequence))
    .join(", ");
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  return {
    name,
    ok: false,
    detail: `${missing.length} of ${count} segments ${missing.length === 1 ? "is" : "are"} missing: ${shown}${more}`,
  };
}
