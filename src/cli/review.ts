/** `plan --base`: a review of the change between two revisions, over the real stores or a snapshot of them. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { instant } from "../catalogue/instant.ts";
import { builtKinds } from "../engine/engines.ts";
import { HoldfastError } from "../errors.ts";
import { lint } from "../lint/run.ts";
import { planDifference } from "../plan/difference.ts";
import { outlook } from "../plan/outlook.ts";
import { type Review, reviewText } from "../plan/review.ts";
import { parseReview } from "../plan/review-shape.ts";
import { parseSnapshot, type Snapshot, stocksAsOf } from "../plan/snapshot.ts";
import { readPolicySet } from "../policy/read.ts";
import type { Stock } from "../retention/future.ts";
import { readSchemas } from "./policy-files.ts";
import { type PolicySide, policySide } from "./revisions.ts";

export interface ReviewRequest {
  readonly policies: string;
  readonly base: string;
  /** Undefined for the working copy. */
  readonly head?: string | undefined;
  readonly days: number;
  readonly pricePerGibMonth: number;
  readonly asOfMs: number;
  /** Undefined where nothing is known of the stores. */
  readonly stocks?: ReadonlyMap<string, Stock> | undefined;
  /** What to type to get it again, from the commits that the revisions turned out to be. */
  readonly command: (base: string, head: string) => string;
}

/** Findings that go with a review; a comment shows fewer. */
const mostFindings = 200;

/** @throws usage when a revision cannot be read */
export async function makeReview(request: ReviewRequest): Promise<Review> {
  const schemas = await readSchemas();
  const [base, head] = await Promise.all([
    policySide(request.policies, request.base),
    policySide(request.policies, request.head),
  ]);
  return reviewOf(base, head, schemas, request);
}

/** The review of one side against the other; what is asked twice gets the same answer. */
export function reviewOf(
  base: PolicySide,
  head: PolicySide,
  schemas: Awaited<ReturnType<typeof readSchemas>>,
  request: Omit<ReviewRequest, "policies" | "base" | "head">,
): Review {
  const { findings, reading } = lint(head.files, schemas, { nowMs: request.asOfMs });
  const count = (severity: string) => findings.filter((f) => f.severity === severity).length;
  // A document with a fault takes no part and would look removed; what a rule refuses can still be foreseen.
  const isSound = reading.findings.every((f) => f.severity !== "error");
  const sets = { base: readPolicySet(base.files, schemas).set, head: reading.set };
  const { jobs, notes } = isSound
    ? planDifference({ ...sets, builtKinds, catalogues: new Map(), nowMs: request.asOfMs })
    : { jobs: { created: [], updated: [], removed: [] }, notes: [] };
  const foreseen = isSound
    ? outlook({
        ...sets,
        stocks: stocksAsOf(request.stocks ?? new Map(), request.asOfMs),
        fromMs: request.asOfMs,
        days: request.days,
        pricePerGibMonth: request.pricePerGibMonth,
      })
    : null;
  const facts = {
    base: { revision: base.revision, digest: base.digest },
    head: { revision: head.revision, digest: head.digest },
    asOf: instant(request.asOfMs),
    jobs,
    outlook: foreseen,
  };
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Review",
    ...facts,
    catalogueKnown: request.stocks !== undefined,
    notes: notes.map(({ policy, message }) => ({ policy, message })),
    findings: findings.slice(0, mostFindings).map(({ rule, severity, location, message }) => {
      const { file, line, column } = location;
      return { rule, severity, file, line, column, message };
    }),
    findingCounts: { error: count("error"), warning: count("warning"), info: count("info") },
    hash: hashOf(facts),
    command: request.command(base.revision, head.revision),
  };
}

/** @throws usage when the file is no snapshot */
export async function readSnapshot(path: string): Promise<Snapshot> {
  let snapshot: Snapshot | undefined;
  try {
    snapshot = parseSnapshot(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new HoldfastError("usage", `'${path}' cannot be read as a catalogue snapshot`, { cause });
  }
  if (snapshot !== undefined) return snapshot;
  throw new HoldfastError("usage", `'${path}' is no catalogue snapshot`, {
    hint: "make one with holdfast list --format snapshot",
  });
}

/** Points of the snapshot by policy name. */
export function stocksOf({ policies }: Snapshot): ReadonlyMap<string, Stock> {
  return new Map(policies.map(({ policy, ...stock }) => [policy, stock]));
}

function hashOf(facts: Parameters<typeof reviewText>[0]): string {
  return createHash("sha256").update(reviewText(facts)).digest("hex");
}

/** Larger than any review that makeReview gives for the policies a repository may hold. */
const mostReviewBytes = 8 * 1024 * 1024;

/**
 * A review that was saved, perhaps by somebody who wishes us ill: of known shape and size, and its hash is the one
 * of what it says. @throws usage when the file is none
 */
export async function readReview(path: string): Promise<Review> {
  let value: unknown;
  try {
    const { size } = await stat(path);
    if (size > mostReviewBytes)
      throw new HoldfastError(
        "usage",
        `'${path}' has ${size} bytes, a review has at most ${mostReviewBytes}`,
      );
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError("usage", `'${path}' cannot be read as a review`, { cause });
  }
  const review = parseReview(value);
  if ("misfit" in review)
    throw new HoldfastError("usage", `'${path}' is no review: no ${review.misfit} where one belongs`, {
      hint: "make one with holdfast plan --base REV --format json",
    });
  if (hashOf(review) !== review.hash)
    throw new HoldfastError("usage", `'${path}' does not say what its hash is of`, {
      hint: "it was changed by hand; make one with holdfast plan --base REV --format json",
    });
  return review;
}
