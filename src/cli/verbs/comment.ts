import type { Command } from "commander";
import { renderReviewComment } from "../../report/review-comment.ts";
import { print, printJson } from "../console.ts";
import { parseWholeNumber, verbCommand } from "../options.ts";
import { type PullRequestOptions, postReview } from "../pull-request.ts";
import { readReview } from "../review.ts";

interface CommentOptions extends PullRequestOptions {
  readonly format: string;
  readonly post?: boolean;
}

/** The second half of a review on GitHub: what a runner without rights has written is read as data and posted. */
export function commentCommand(): Command {
  return verbCommand("comment", "a saved review as the one comment of its pull request")
    .argument("<review>", "a file that plan --base REV --format json wrote")
    .option("--post", "put it there, or edit the one that is there; without it the comment is printed")
    .option("--pull <n>", "number of the pull request; GITHUB_REF's when not given", parsePull)
    .option("--head-commit <id>", "post only while the pull request is at this commit")
    .option("--head-repository <name>", "post only when the pull request comes from OWNER/NAME")
    .action(async (path: string, options: CommentOptions) => {
      const review = await readReview(path);
      if (options.post !== true) {
        const body = renderReviewComment(review, {});
        if (options.format === "json") printJson({ body });
        else print(body);
        return;
      }
      const posted = await postReview(review, options);
      // A newer commit has a run of its own, which will say what holds of it.
      if (options.format === "json") printJson(posted);
      else
        print(
          posted.outcome === "refused"
            ? `not posted: ${posted.reason}`
            : `comment ${posted.outcome}: ${posted.url}`,
        );
    });
}

export const parsePull = parseWholeNumber(1, 999_999_999);
