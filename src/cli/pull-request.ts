/** Posts a review on its pull request: where it goes, with which token, and what its links point to. */
import { HoldfastError } from "../errors.ts";
import { refusalOf } from "../notify/github-client.ts";
import { type CommentTarget, type Posted, postComment } from "../notify/github-comment.ts";
import type { Review } from "../plan/review.ts";
import { renderReviewComment, reviewMarker } from "../report/review-comment.ts";
import { rememberSecret } from "../secret.ts";
import { ownOrigin } from "./own-origin.ts";

export interface PullRequestOptions {
  readonly pull?: number;
  readonly headCommit?: string;
  readonly headRepository?: string;
}

/** Afterwards the pull request carries the review as its one comment. @throws usage, github-refused */
export async function postReview(review: Review, options: PullRequestOptions): Promise<Posted> {
  const target = targetOf(options);
  const token = process.env["HOLDFAST_GITHUB_TOKEN"];
  if (token === undefined || token === "")
    throw new HoldfastError("usage", "there is no token to post the comment with", {
      hint: "set HOLDFAST_GITHUB_TOKEN to one that may write to pull requests",
    });
  rememberSecret(token);
  const apiUrl = process.env["GITHUB_API_URL"] ?? "https://api.github.com";
  const origin = await ownOrigin();
  try {
    return await postComment({ token, apiUrl }, target, reviewMarker, (pull) => {
      const host = new URL(pull.pageUrl).origin;
      return renderReviewComment(review, {
        commit: pull.headCommit,
        ...(isSame(pull.headRepository, `${target.owner}/${target.repo}`)
          ? {}
          : { fork: pull.headRepository === "" ? "a fork that is gone" : pull.headRepository }),
        ...(origin === undefined
          ? {}
          : { rules: `https://github.com/${origin.repository}/blob/${origin.commit}/docs/rules` }),
        ...(/^[\w.-]+\/[\w.-]+$/.test(pull.headRepository)
          ? { files: `${host}/${pull.headRepository}/blob/${pull.headCommit}` }
          : {}),
      });
    });
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const { reason } = refusalOf(cause, Date.now(), "write to pull requests");
    throw new HoldfastError("github-refused", `the comment could not be posted: ${reason}`, { cause });
  }
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Options first; else what GitHub's runner says of the run. @throws usage */
function targetOf({ pull, headCommit, headRepository }: PullRequestOptions): CommentTarget {
  const [owner, repo, ...rest] = (process.env["GITHUB_REPOSITORY"] ?? "").split("/");
  if (owner === undefined || owner === "" || repo === undefined || repo === "" || rest.length > 0)
    throw new HoldfastError("usage", "no repository to post to", {
      hint: "set GITHUB_REPOSITORY to OWNER/NAME",
    });
  const number = pull ?? Number(/^refs\/pull\/(\d{1,9})\//.exec(process.env["GITHUB_REF"] ?? "")?.[1]);
  if (!Number.isInteger(number))
    throw new HoldfastError("usage", "no pull request to post to", { hint: "name it with --pull" });
  if ((headCommit === undefined) !== (headRepository === undefined))
    throw new HoldfastError("usage", "--head-commit and --head-repository belong together");
  const head =
    headCommit === undefined || headRepository === undefined
      ? {}
      : { head: { commit: headCommit, repository: headRepository } };
  return { owner, repo, pull: number, ...head };
}
