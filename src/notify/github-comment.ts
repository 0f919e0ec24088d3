/** One comment on a pull request, found again by its marker and edited in place. */
import type { Octokit } from "octokit";
import { type GithubAccess, githubClient, type Place } from "./github-client.ts";

const pageSize = 100;

export interface CommentTarget extends Place {
  readonly pull: number;
  /**
   * What the pull request must hold for a comment to be about it; given where its number comes from a run that a
   * stranger controls. Without it any pull request is taken.
   */
  readonly head?: { readonly commit: string; readonly repository: string };
}

/** What of a pull request goes into a comment's links. */
export interface PullFacts {
  readonly headCommit: string;
  /** `owner/name`; empty where the fork is gone. */
  readonly headRepository: string;
  readonly pageUrl: string;
}

export type Posted =
  | { readonly outcome: "created" | "edited" | "unchanged"; readonly url: string }
  /** Nothing was written, because the pull request is not, or no longer, the one that was judged. */
  | { readonly outcome: "refused"; readonly reason: string };

/**
 * Afterwards the pull request has exactly one comment of this token's account that begins with `marker`, and it is
 * what `render` gave; a second one, of two runs at the same moment, is deleted. @throws what octokit throws
 */
export async function postComment(
  access: GithubAccess,
  target: CommentTarget,
  marker: string,
  render: (pull: PullFacts) => string,
): Promise<Posted> {
  const client = await githubClient(access);
  const { owner, repo, pull, head } = target;
  const { data } = await client.rest.pulls.get({ owner, repo, pull_number: pull });
  const facts = {
    headCommit: data.head.sha,
    headRepository: data.head.repo?.full_name ?? "",
    pageUrl: data.html_url,
  };
  if (head !== undefined) {
    if (facts.headCommit !== head.commit)
      return { outcome: "refused", reason: `pull request ${pull} is no longer at ${head.commit}` };
    if (facts.headRepository.toLowerCase() !== head.repository.toLowerCase())
      return { outcome: "refused", reason: `pull request ${pull} does not come from ${head.repository}` };
  }
  const body = render(facts);
  const [known, ...doubles] = await ownComments(client, target, marker);
  for (const { id } of doubles) await client.rest.issues.deleteComment({ owner, repo, comment_id: id });
  if (known === undefined) {
    const made = await client.rest.issues.createComment({ owner, repo, issue_number: pull, body });
    return { outcome: "created", url: made.data.html_url };
  }
  if (known.body === body) return { outcome: "unchanged", url: known.url };
  await client.rest.issues.updateComment({ owner, repo, comment_id: known.id, body });
  return { outcome: "edited", url: known.url };
}

interface KnownComment {
  readonly id: number;
  readonly body: string;
  readonly url: string;
}

/** Anybody may write our marker, so only what an automatic account or one with rights here wrote counts. */
function isTrusted(user: { readonly type: string } | null, association: string | undefined): boolean {
  return user?.type === "Bot" || ["OWNER", "MEMBER", "COLLABORATOR"].includes(association ?? "");
}

/** The oldest first. */
async function ownComments(
  client: Octokit,
  { owner, repo, pull }: CommentTarget,
  marker: string,
): Promise<readonly KnownComment[]> {
  const found: KnownComment[] = [];
  for (let page = 1; ; page += 1) {
    const { data } = await client.rest.issues.listComments({
      owner,
      repo,
      issue_number: pull,
      per_page: pageSize,
      page,
    });
    for (const { id, body = "", html_url, user, author_association } of data) {
      if (body.startsWith(marker) && isTrusted(user, author_association))
        found.push({ id, body, url: html_url });
    }
    if (data.length < pageSize) return found;
  }
}
