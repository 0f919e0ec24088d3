import type { Command } from "commander";
import { builtKinds } from "../../engine/engines.ts";
import { HoldfastError } from "../../errors.ts";
import { observe } from "../../operate/observe.ts";
import { breachesOf } from "../../plan/outlook.ts";
import { plan as makePlan } from "../../plan/plan.ts";
import type { Review } from "../../plan/review.ts";
import { trailerOf } from "../../plan/review-trailer.ts";
import { planJson } from "../../report/json.ts";
import { renderPlanMarkdown } from "../../report/plan-markdown.ts";
import { renderReviewComment } from "../../report/review-comment.ts";
import { renderReview } from "../../report/review-text.ts";
import { renderPlan } from "../../report/tables.ts";
import { shellWord } from "../../shell-word.ts";
import { columns, complain, paintFor, print, printJson } from "../console.ts";
import { storedAt } from "../frozen-review.ts";
import { requireLintClean } from "../lint-gate.ts";
import {
  inWorld,
  parseInstant,
  parseWholeNumber,
  platformOption,
  type SharedOptions,
  verbCommand,
  withWorldOptions,
} from "../options.ts";
import { type PullRequestOptions, postReview } from "../pull-request.ts";
import { openPlatform } from "../reconciler.ts";
import { makeReview, type ReviewRequest, readSnapshot, stocksOf } from "../review.ts";
import { parsePrice, usualOutlook } from "../review-options.ts";
import { parsePull } from "./comment.ts";

interface PlanCommandOptions extends SharedOptions, PullRequestOptions {
  readonly base?: string;
  readonly head?: string;
  readonly snapshot?: string;
  readonly offline?: boolean;
  readonly post?: boolean;
  readonly asOf?: number;
  readonly days: number;
  readonly price: number;
}

export function planCommand(): Command {
  return withWorldOptions(
    verbCommand("plan", "what apply would do, each action with its reason", [
      "text",
      "json",
      "markdown",
      "trailer",
    ]),
  )
    .addOption(platformOption())
    .option("--base <rev>", "review the change from this revision: what becomes unrestorable, and when")
    .option("--head <rev>", "up to this revision; the working copy when not given")
    .option("--snapshot <file>", "stored points as list --format snapshot wrote them; no store is asked")
    .option("--offline", "review by the policies alone; no store is asked")
    .option("--post", "put the review on its pull request as one comment, or edit the one there")
    .option("--pull <n>", "number of the pull request; GITHUB_REF's when not given", parsePull)
    .option("--as-of <instant>", "judge as of then and leave out points stored later", parseInstant)
    .option("--days <n>", "how far ahead a review looks", parseWholeNumber(1, 4000), usualOutlook.days)
    .option("--price <n>", "price of one GiB for a month", parsePrice, usualOutlook.pricePerGibMonth)
    .action(async (options: PlanCommandOptions) => {
      if (options.base !== undefined) {
        const made = await review(options, options.base);
        showReview(made, options);
        if (options.post !== true) return;
        const posted = await postReview(made, options);
        complain(posted.outcome === "refused" ? `not posted: ${posted.reason}` : `comment ${posted.outcome}`);
        return;
      }
      for (const name of ["head", "snapshot", "asOf", "offline", "post", "pull"] as const) {
        if (options[name] === undefined) continue;
        throw new HoldfastError(
          "usage",
          "--head, --snapshot, --offline, --as-of, --post and --pull belong to a review with --base",
        );
      }
      if (options.format === "trailer")
        throw new HoldfastError("usage", "--format trailer belongs to a review with --base");
      await requireLintClean(options);
      await inWorld(options, async (world) => {
        const seen = await observe(world, openPlatform(world, options));
        const plan = makePlan({
          revision: world.revision,
          set: world.set,
          builtKinds,
          actual: seen.actual,
          catalogues: seen.catalogues,
          nowMs: world.clock.nowMs(),
          fingerprint: seen.fingerprint,
        });
        if (options.format === "json") return printJson(planJson(plan));
        if (options.format === "markdown") return print(renderPlanMarkdown(plan));
        print(renderPlan(plan, { paint: paintFor(process.stdout), columns: columns() }));
      });
    });
}

/** With a snapshot no world is built, so a runner needs neither credentials nor a network. */
async function review(options: PlanCommandOptions, base: string): Promise<Review> {
  const { policies, head, days, price } = options;
  const shared = { policies, base, head, days, pricePerGibMonth: price };
  if (options.snapshot !== undefined) {
    const snapshot = await readSnapshot(options.snapshot);
    const asOfMs = options.asOf ?? Date.parse(snapshot.takenAt);
    return makeReview({ ...shared, asOfMs, stocks: stocksOf(snapshot), command: commandOf(options, asOfMs) });
  }
  if (options.offline === true) {
    const asOfMs = options.asOf ?? wholeSeconds(Date.now());
    return makeReview({ ...shared, asOfMs, command: commandOf(options, asOfMs) });
  }
  const stocks = await storedAt(options, base);
  const asOfMs = options.asOf ?? wholeSeconds(Date.now());
  return makeReview({ ...shared, asOfMs, stocks, command: commandOf(options, asOfMs) });
}

/** They make an instant that can be typed again. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function commandOf(options: PlanCommandOptions, asOfMs: number): ReviewRequest["command"] {
  const { snapshot, offline, days, price, policies } = options;
  return (base, head) => {
    const parts = ["holdfast plan", `--policies ${shellWord(policies)}`, `--base ${base}`];
    if (head !== "") parts.push(`--head ${head}`);
    if (snapshot !== undefined) parts.push(`--snapshot ${shellWord(snapshot)}`);
    else if (offline === true) parts.push("--offline");
    parts.push(`--as-of ${new Date(asOfMs).toISOString()}`);
    if (days !== usualOutlook.days) parts.push(`--days ${days}`);
    if (price !== usualOutlook.pricePerGibMonth) parts.push(`--price ${price}`);
    return parts.join(" ");
  };
}

/** @throws usage for a review that no reconciler would come to again */
function requireTrailer(review: Review): string {
  const trailer = trailerOf(review);
  if (trailer === undefined)
    throw new HoldfastError("usage", "policies with errors have no review", { hint: "run holdfast lint" });
  if (review.catalogueKnown) return trailer;
  throw new HoldfastError("usage", "a review that knows no stored points is not what a reconciler comes to", {
    hint: "leave out --offline, or name a snapshot of the stores with --snapshot",
  });
}

function showReview(review: Review, { format }: PlanCommandOptions): void {
  if (review.findingCounts.error > 0) process.exitCode = 3;
  // A breach outweighs findings: it is about bytes that cannot be brought back.
  if (review.outlook !== null && breachesOf(review.outlook).length > 0) process.exitCode = 4;
  if (format === "json") {
    printJson(review);
    return;
  }
  if (format === "markdown") {
    print(renderReviewComment(review, {}).trimEnd());
    return;
  }
  if (format === "trailer") {
    print(requireTrailer(review));
    return;
  }
  print(renderReview(review, { paint: paintFor(process.stdout), columns: columns() }));
}
