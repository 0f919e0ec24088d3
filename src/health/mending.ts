/** Whether a failure that is over is proved to be mended. That it is seen no more is no proof. */
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Verdict } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import type { ConditionKind } from "../state/health.ts";

export interface Mending {
  readonly isProved: boolean;
  /** One sentence: the proof, or what is missing. */
  readonly text: string;
  /** Command that brings the proof about; empty when there is one. */
  readonly next: string;
}

export interface Failure {
  readonly when: ConditionKind;
  /** When it was seen first, and when it was seen to hold last. */
  readonly sinceMs: number;
  readonly heldMs: number;
}

/** What failed is the making of points or of log: only what was captured afterwards can show that it works again. */
const aboutCapture = new Set<ConditionKind>([
  "backup-missing",
  "backup-failed",
  "backup-too-small",
  "rpo-missed",
  "pitr-gap",
  "log-behind",
  "log-slot-lost",
  "source-unreachable",
]);
/** These are told from verdicts: once they are over, the verdict that ended them is there. */
const aboutProof = new Set<ConditionKind>([
  "verification-failed",
  "verification-overdue",
  "unproven",
  "rto-missed",
]);
/** A restore that was asked. */
const restored = 4;

/**
 * Proved by a restore made after the failure was seen last; where the capture had failed, by a restore of what was captured
 * later. A checklist that asks for less than a restore is content with the highest level it asks for. The text names
 * the newest such proof, or the first one.
 */
export function mendingOf(
  policy: Policy,
  catalogue: Catalogue | undefined,
  { when, sinceMs, heldMs }: Failure,
  which: "newest" | "first" = "newest",
): Mending {
  if (when === "escrow-unproven") return escrowMending(policy, catalogue, sinceMs);
  const afterMs = aboutProof.has(when) ? sinceMs : heldMs;
  const asked = policy.verification.checks.map((c) => c.level);
  const level = asked.length === 0 ? restored : Math.min(restored, Math.max(...asked));
  const needsNew = aboutCapture.has(when);
  const proofs = (catalogue?.points ?? [])
    .flatMap((point) => point.verdicts.map((verdict) => ({ point, verdict })))
    .filter(
      ({ point, verdict }) =>
        verdict.level >= level && Date.parse(verdict.at) > afterMs && isOf(point, verdict),
    )
    .filter(({ point, verdict }) => !needsNew || holdsLater(point, verdict, afterMs))
    .sort((a, b) => (a.verdict.at < b.verdict.at ? -1 : 1));
  const proof = which === "first" ? proofs[0] : proofs.at(-1);
  if (proof !== undefined) {
    const { point, verdict } = proof;
    return {
      isProved: true,
      text: `point ${point.manifest.id} of ${point.manifest.consistentAt} reached level ${verdict.level} at ${verdict.at}.`,
      next: "",
    };
  }
  const newer = (catalogue?.points ?? []).some((p) => Date.parse(p.manifest.finishedAt) > afterMs);
  const since = new Date(afterMs).toISOString();
  if (needsNew && !newer && policy.log === undefined)
    return {
      isProved: false,
      text: `no recovery point was taken after ${since}.`,
      next: `holdfast backup ${policy.name}`,
    };
  return {
    isProved: false,
    text: `nothing has reached level ${level} since ${since}.`,
    next: `holdfast verify ${policy.name} --level ${level}`,
  };
}

/** No restore with another key says anything of this one. */
function escrowMending(policy: Policy, catalogue: Catalogue | undefined, sinceMs: number): Mending {
  const proof = (catalogue?.keyProofs ?? [])
    .filter((p) => Date.parse(p.at) > sinceMs)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .at(-1);
  if (proof !== undefined)
    return {
      isProved: true,
      text: `the escrow key ${proof.recipient} opened point ${proof.point} at ${proof.at}.`,
      next: "",
    };
  return {
    isProved: false,
    text: `no escrow key has opened a point since ${new Date(sinceMs).toISOString()}.`,
    next: `holdfast verify ${policy.name} --level 3 --identity FILE`,
  };
}

/** A verdict on other bytes than the ones there now proves nothing. */
function isOf(point: RecoveryPoint, verdict: Verdict): boolean {
  return verdict.manifestSha256 === point.manifestSha256;
}

function holdsLater({ manifest }: RecoveryPoint, { measured }: Verdict, afterMs: number): boolean {
  return [manifest.finishedAt, measured.targetAt, measured.lastCanaryAt].some(
    (at) => at !== undefined && Date.parse(at) > afterMs,
  );
}
