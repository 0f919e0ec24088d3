/**
 * What is known of a change of policies before it is merged, as a value: findings, jobs, the outlook. It is
 * what a checker on a runner without rights hands on, so it holds no markup and no secret.
 */
import type { Instant } from "../catalogue/instant.ts";
import type { Severity } from "../finding.ts";
import { canonical } from "./fingerprint.ts";
import type { Outlook } from "./outlook.ts";

export interface ReviewFinding {
  readonly rule: string;
  readonly severity: Severity;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** One side of the change; the digest is over the policy files, so that a merge commit does not alter it. */
export interface ReviewSide {
  readonly revision: string;
  readonly digest: string;
}

export interface Review {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Review";
  readonly base: ReviewSide;
  readonly head: ReviewSide;
  /** Points stored later take no part, so that the same question has the same answer after the merge. */
  readonly asOf: Instant;
  /** False where neither a store nor a snapshot could be read: then nothing is known of stored points. */
  readonly catalogueKnown: boolean;
  readonly jobs: {
    readonly created: readonly string[];
    readonly updated: readonly string[];
    readonly removed: readonly string[];
  };
  readonly notes: readonly { readonly policy: string; readonly message: string }[];
  /** Null where the policies of head have errors: nothing can be foreseen from half a set. */
  readonly outlook: Outlook | null;
  /** At most so many as a comment can show; the counts are of all. */
  readonly findings: readonly ReviewFinding[];
  readonly findingCounts: Readonly<Record<Severity, number>>;
  /** SHA-256 of `reviewText`. */
  readonly hash: string;
  /** What to type to get this again. */
  readonly command: string;
}

/** What the hash is over: the contents of both sides and what follows from them, no commit and no finding. */
export function reviewText({
  base,
  head,
  asOf,
  jobs,
  outlook,
}: Pick<Review, "base" | "head" | "asOf" | "jobs" | "outlook">): string {
  return canonical({ base: base.digest, head: head.digest, asOf, jobs, outlook });
}
