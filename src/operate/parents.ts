/** Which points an incremental capture may build on. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { CaptureRequest } from "../engine/engine.ts";
import type { Policy } from "../policy/model.ts";
import type { Repository } from "../repository/repository.ts";
import { lastAtOrBefore, parseCron } from "../time/cron.ts";

/**
 * The newest point and what it needs, nearest first; empty when a full capture is due: no full one since
 * the last instant of `fullCron`, or the newest point's chain is broken, damaged or marked for removal.
 */
export function parentsFor(
  policy: Policy,
  catalogue: Catalogue,
  repository: Pick<Repository, "source">,
  slotAtMs: number,
): CaptureRequest["parents"] {
  const fullCron = policy.capture.fullCron;
  const newest = catalogue.points.at(-1);
  if (fullCron === undefined || newest === undefined) return [];
  const chain = [newest];
  for (const id of newest.manifest.parents) {
    const parent = catalogue.points.find((p) => p.manifest.id === id);
    if (parent === undefined) return [];
    chain.push(parent);
  }
  if (chain.some((p) => p.tombstone !== undefined || p.verdicts.at(-1)?.ok === false)) return [];
  const cron = parseCron(fullCron);
  if ("error" in cron) return [];
  const timeZone = policy.schedule.kind === "cron" ? policy.schedule.timeZone : "Etc/UTC";
  const fullDueAtMs = lastAtOrBefore(cron, timeZone, slotAtMs);
  const full = chain.at(-1);
  if (full === undefined || full.manifest.capture !== "full") return [];
  if (fullDueAtMs !== undefined && Date.parse(full.manifest.slotAt) < fullDueAtMs) return [];
  return chain.map((p) => ({ manifest: p.manifest, source: repository.source(p.manifest) }));
}
