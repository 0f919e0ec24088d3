/** GitHub's values, made from the examples of its own description, so that every field it promises is there. */
import type { GithubComment, GithubIssue, GithubState } from "./github.ts";
import { githubDescription } from "./github-description.ts";

export type Json = Record<string, unknown>;

export function refusal(status: number, message: string, errors?: readonly unknown[]): unknown {
  return {
    message,
    documentation_url: "https://docs.github.com/rest",
    status: String(status),
    ...(errors === undefined ? {} : { errors }),
  };
}

function example(name: string): Json {
  return githubDescription().example(name);
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function userJson(login: string): Json {
  const user = (example("issue")["user"] ?? {}) as Json;
  return { ...user, login, type: login.endsWith("[bot]") ? "Bot" : "User" };
}

function repositoryFields(fullName: string): Json {
  return {
    name: fullName.split("/")[1],
    full_name: fullName,
    html_url: `https://github.com/${fullName}`,
  };
}

export function repositoryJson(fullName: string): Json {
  const {
    source: _,
    parent: __,
    template_repository: ___,
    ...rest
  } = example("full-repository-default-response");
  return { ...rest, ...repositoryFields(fullName), language: null };
}

export function ensureLabel(github: GithubState, name: string): void {
  if (!github.labels.has(name)) github.labels.set(name, { color: "ededed", description: "" });
}

export function labelJson(github: GithubState, name: string): Json {
  const [first] = example("label-items") as unknown as Json[];
  return { ...first, name, default: false, ...github.labels.get(name) };
}

export function issueJson(github: GithubState, issue: GithubIssue): Json {
  const url = `${github.url}/repos/${github.repository}/issues/${issue.number}`;
  const { pull_request: _, closed_by: __, ...rest } = example("issue");
  return {
    ...rest,
    id: issue.number,
    number: issue.number,
    url,
    html_url: `https://github.com/${github.repository}/${issue.pull === undefined ? "issues" : "pull"}/${issue.number}`,
    title: issue.title,
    body: issue.body,
    state: issue.state,
    state_reason: issue.stateReason,
    user: userJson(issue.author),
    labels: issue.labels.map((name) => labelJson(github, name)),
    assignee: issue.assignees[0] === undefined ? null : userJson(issue.assignees[0]),
    assignees: issue.assignees.map(userJson),
    comments: issue.comments.length,
    created_at: time(issue.createdAtMs),
    updated_at: time(issue.updatedAtMs),
    closed_at: issue.closedAtMs === null ? null : time(issue.closedAtMs),
    ...(issue.pull === undefined
      ? {}
      : { pull_request: { url, html_url: url, diff_url: url, patch_url: url } }),
  };
}

export function commentJson(github: GithubState, issue: GithubIssue, comment: GithubComment): Json {
  return {
    ...example("issue-comment"),
    id: comment.id,
    url: `${github.url}/repos/${github.repository}/issues/comments/${comment.id}`,
    html_url: `https://github.com/${github.repository}/issues/${issue.number}#issuecomment-${comment.id}`,
    issue_url: `${github.url}/repos/${github.repository}/issues/${issue.number}`,
    body: comment.body,
    user: userJson(comment.author),
    author_association: [github.login, "mona"].includes(comment.author) ? "COLLABORATOR" : "NONE",
    created_at: time(comment.createdAtMs),
    updated_at: time(comment.updatedAtMs),
  };
}

export function pullJson(github: GithubState, issue: GithubIssue, name: string): Json {
  const value = example(name) as unknown as Json | Json[];
  const template = (Array.isArray(value) ? value[0] : value) as Json;
  const head = template["head"] as Json;
  const base = template["base"] as Json;
  const pull = issue.pull as NonNullable<GithubIssue["pull"]>;
  const at = (side: Json, fullName: string, ref: string, sha: string): Json => ({
    ...side,
    ref,
    sha,
    label: `${fullName.split("/")[0]}:${ref}`,
    repo: {
      ...((side["repo"] ?? base["repo"]) as Json),
      ...repositoryFields(fullName),
      fork: fullName !== github.repository,
    },
  });
  return {
    ...template,
    id: issue.number,
    number: issue.number,
    title: issue.title,
    state: issue.state,
    user: userJson(issue.author),
    head: at(head, pull.headRepository, pull.headRef, pull.headSha),
    base: at(base, github.repository, pull.baseRef, pull.baseSha),
    // The example's own team lacks a field that the description asks for.
    requested_teams: [],
  };
}
