/** The reconciler's gate: a commit that makes something unrestorable is applied with its review alone. */
import { breachesOf } from "../plan/outlook.ts";
import { judgeGate } from "../plan/review-gate.ts";
import { trailerName } from "../plan/review-trailer.ts";
import type { PolicySet } from "../policy/model.ts";
import type { PolicySource, Revision } from "../source/source.ts";
import { stocksIn } from "./frozen-review.ts";
import { readBundle, type readSchemas } from "./policy-files.ts";
import { reviewOf } from "./review.ts";
import { usualOutlook } from "./review-options.ts";
import { sideOf } from "./revisions.ts";
import type { WiredWorld } from "./wire.ts";

export interface GateRequest {
  /** On the policies in force. */
  readonly world: WiredWorld;
  /** File with the policies in force; undefined before the first good revision. */
  readonly bundle: string | undefined;
  readonly revision: Revision;
  /** What the revision says. */
  readonly head: PolicySet;
  readonly source: Pick<PolicySource, "trailersSince">;
  /** Folder of the policies in the repository. */
  readonly folder: string;
  readonly schemas: Awaited<ReturnType<typeof readSchemas>>;
}

export interface Unreviewed {
  readonly message: string;
  readonly hint: string;
}

/**
 * Undefined where the revision may be applied: the policies in force ask for no reviews, nothing becomes
 * unrestorable by it, or it carries its review. @throws store-unreachable where the stored points cannot be read
 */
export async function unreviewed(request: GateRequest): Promise<Unreviewed | undefined> {
  const { world, bundle, revision, head, source, folder, schemas } = request;
  // The policies in force decide, so that no commit opens the gate for itself.
  if (bundle === undefined || world.set.reconciler?.requireReview !== true) return undefined;
  const base = sideOf((await readBundle(bundle)).files, folder, world.revision);
  const side = sideOf(revision.files, folder, revision.commit);
  const stocks = await stocksIn(world);
  const nowMs = world.clock.nowMs();
  const review = (asOfMs: number, days: number, pricePerGibMonth: number) =>
    reviewOf(base, side, schemas, { days, pricePerGibMonth, asOfMs, stocks, command: () => "" });
  const now = review(nowMs, usualOutlook.days, usualOutlook.pricePerGibMonth);
  const isGateRemoved = head.reconciler?.requireReview !== true;
  const isHarmless = now.outlook !== null && breachesOf(now.outlook).length === 0 && !isGateRemoved;
  const verdict = judgeGate({
    review: now,
    isGateRemoved,
    trailers: isHarmless ? [] : await source.trailersSince(trailerName, revision.commit, world.revision),
    again: ({ asOf, days, pricePerGibMonth }) => review(Date.parse(asOf), days, pricePerGibMonth),
    nowMs,
  });
  if (verdict.isOpen) {
    if (verdict.hash !== undefined)
      world.log.info("a reviewed change is applied", { commit: revision.commit, review: verdict.hash });
    return undefined;
  }
  const short = (commit: string): string => commit.slice(0, 12);
  const command = `holdfast plan --base ${short(world.revision)} --head ${short(revision.commit)}`;
  return {
    message: verdict.message,
    hint: `${command} shows it; with --format trailer it prints the line that a commit's message needs`,
  };
}
