/** What the stand-in GitHub does for each operation it knows; values are made from GitHub's own examples. */

import type { GithubComment, GithubIssue, GithubState } from "./github.ts";
import type { FoundOperation } from "./github-description.ts";
import {
  commentJson,
  ensureLabel,
  issueJson,
  type Json,
  labelJson,
  pullJson,
  refusal,
  repositoryJson,
} from "./github-values.ts";

export interface GithubAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Call {
  readonly github: GithubState;
  readonly pathname: string;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Json;
}

/** GitHub counts characters of bodies and titles and refuses longer ones. */
const mostBody = 65_536;
const mostTitle = 256;

const operations: Readonly<Record<string, (call: Call) => GithubAnswer>> = {
  "issues/list-for-repo": listIssues,
  "issues/create": createIssue,
  "issues/get": (call) => withIssue(call, (issue) => ok(issueJson(call.github, issue))),
  "issues/update": updateIssue,
  "issues/list-comments": (call) =>
    withIssue(call, (issue) =>
      page(
        call,
        issue.comments.map((c) => commentJson(call.github, issue, c)),
      ),
    ),
  "issues/create-comment": createComment,
  "issues/get-comment": (call) =>
    withComment(call, (issue, comment) => ok(commentJson(call.github, issue, comment))),
  "issues/update-comment": updateComment,
  "issues/delete-comment": (call) =>
    withComment(call, (issue, comment) => {
      issue.comments.splice(issue.comments.indexOf(comment), 1);
      return { status: 204 };
    }),
  "issues/list-labels-for-repo": (call) =>
    page(
      call,
      [...call.github.labels.keys()].map((name) => labelJson(call.github, name)),
    ),
  "issues/create-label": createLabel,
  "issues/get-label": (call) =>
    call.github.labels.has(call.path["name"] ?? "")
      ? ok(labelJson(call.github, call.path["name"] ?? ""))
      : notFound(),
  "issues/add-labels": (call) =>
    withIssue(call, (issue) => {
      issue.labels = [...new Set([...issue.labels, ...((call.body["labels"] ?? []) as string[])])];
      for (const name of issue.labels) ensureLabel(call.github, name);
      return ok(issue.labels.map((name) => labelJson(call.github, name)));
    }),
  "pulls/list": (call) =>
    page(
      call,
      pullsOf(
        call,
        (p) => call.query.get("state") === "all" || p.state === (call.query.get("state") ?? "open"),
      ),
    ),
  "pulls/get": (call) =>
    withIssue(call, (issue) =>
      issue.pull === undefined ? notFound() : ok(pullJson(call.github, issue, "pull-request")),
    ),
  "repos/list-pull-requests-associated-with-commit": (call) =>
    page(
      call,
      pullsOf(call, (p) => p.pull?.headSha === call.path["commit_sha"]),
    ),
  "repos/get": ({ github }) => ok(repositoryJson(github.repository)),
};

/** Whatever the operation gives; 404 for another repository, as GitHub does. */
export function answer(
  github: GithubState,
  operation: FoundOperation,
  request: { readonly pathname: string; readonly query: URLSearchParams; readonly body: unknown },
): GithubAnswer {
  const { owner, repo } = operation.path;
  if (`${owner}/${repo}`.toLowerCase() !== github.repository.toLowerCase()) return notFound();
  const run = operations[operation.id];
  if (run === undefined) throw new Error(`the stand-in does not know ${operation.id}`);
  return run({ github, path: operation.path, ...request, body: (request.body ?? {}) as Json });
}

function listIssues(call: Call): GithubAnswer {
  const { github, query } = call;
  const state = query.get("state") ?? "open";
  const wanted = (query.get("labels") ?? "").split(",").filter((l) => l !== "");
  const creator = query.get("creator");
  const sinceMs = Date.parse(query.get("since") ?? "");
  const found = github.issues.filter(
    (issue) =>
      (state === "all" || issue.state === state) &&
      wanted.every((label) => issue.labels.includes(label)) &&
      (creator === null || issue.author === creator) &&
      (Number.isNaN(sinceMs) || issue.updatedAtMs >= sinceMs),
  );
  const sign = query.get("direction") === "asc" ? 1 : -1;
  const key = query.get("sort") === "updated" ? "updatedAtMs" : "createdAtMs";
  const sorted = found.sort((a, b) => sign * (a[key] - b[key] || a.number - b.number));
  return page(
    call,
    sorted.map((issue) => issueJson(github, issue)),
  );
}

function createIssue({ github, body }: Call): GithubAnswer {
  const fault = tooLong(body);
  if (fault !== undefined) return fault;
  const nowMs = github.clock();
  const issue: GithubIssue = {
    number: github.issues.length + 1,
    title: String(body["title"]),
    body: String(body["body"] ?? ""),
    state: "open",
    stateReason: null,
    labels: [...((body["labels"] ?? []) as string[])],
    assignees: [...((body["assignees"] ?? []) as string[])],
    author: github.login,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    closedAtMs: null,
    comments: [],
  };
  for (const name of issue.labels) ensureLabel(github, name);
  github.issues.push(issue);
  return { status: 201, body: issueJson(github, issue) };
}

function updateIssue(call: Call): GithubAnswer {
  return withIssue(call, (issue) => {
    const { github, body } = call;
    const fault = tooLong(body);
    if (fault !== undefined) return fault;
    if (typeof body["title"] === "string") issue.title = body["title"];
    if (typeof body["body"] === "string") issue.body = body["body"];
    if (Array.isArray(body["labels"])) issue.labels = body["labels"] as string[];
    if (Array.isArray(body["assignees"])) issue.assignees = body["assignees"] as string[];
    const { state } = body;
    if (state === "open" || state === "closed") {
      if (state !== issue.state) issue.closedAtMs = state === "closed" ? github.clock() : null;
      issue.state = state;
      issue.stateReason =
        (body["state_reason"] as string | undefined) ?? (state === "closed" ? "completed" : "reopened");
    }
    issue.updatedAtMs = github.clock();
    return ok(issueJson(github, issue));
  });
}

function createComment(call: Call): GithubAnswer {
  return withIssue(call, (issue) => {
    const { github, body } = call;
    const fault = tooLong(body);
    if (fault !== undefined) return fault;
    const nowMs = github.clock();
    const comment: GithubComment = {
      id: 1000 + github.nextId++,
      body: String(body["body"]),
      author: github.login,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    };
    issue.comments.push(comment);
    issue.updatedAtMs = nowMs;
    return { status: 201, body: commentJson(github, issue, comment) };
  });
}

function updateComment(call: Call): GithubAnswer {
  return withComment(call, (issue, comment) => {
    const fault = tooLong(call.body);
    if (fault !== undefined) return fault;
    comment.body = String(call.body["body"]);
    comment.updatedAtMs = call.github.clock();
    return ok(commentJson(call.github, issue, comment));
  });
}

function createLabel({ github, body }: Call): GithubAnswer {
  const name = String(body["name"]);
  if (github.labels.has(name)) return invalid("already_exists", "name", "Label", "Validation Failed");
  github.labels.set(name, {
    color: String(body["color"] ?? "ededed"),
    description: String(body["description"] ?? ""),
  });
  return { status: 201, body: labelJson(github, name) };
}

function tooLong(body: Json): GithubAnswer | undefined {
  if (String(body["body"] ?? "").length > mostBody)
    return invalid("custom", "body", "IssueComment", "body is too long (maximum is 65536 characters)");
  if (String(body["title"] ?? "").length > mostTitle)
    return invalid("custom", "title", "Issue", "title is too long (maximum is 256 characters)");
  return undefined;
}

function invalid(code: string, field: string, resource: string, message: string): GithubAnswer {
  return { status: 422, body: refusal(422, "Validation Failed", [{ resource, code, field, message }]) };
}

function withIssue(call: Call, then: (issue: GithubIssue) => GithubAnswer): GithubAnswer {
  const number = Number(call.path["issue_number"] ?? call.path["pull_number"]);
  const issue = call.github.issues.find((i) => i.number === number);
  return issue === undefined ? notFound() : then(issue);
}

function withComment(
  call: Call,
  then: (issue: GithubIssue, comment: GithubComment) => GithubAnswer,
): GithubAnswer {
  for (const issue of call.github.issues) {
    const comment = issue.comments.find((c) => c.id === Number(call.path["comment_id"]));
    if (comment !== undefined) return then(issue, comment);
  }
  return notFound();
}

function ok(body: unknown): GithubAnswer {
  return { status: 200, body };
}

function notFound(): GithubAnswer {
  return { status: 404, body: refusal(404, "Not Found") };
}

/** One page, with the links by which a client finds the others. */
function page({ github, query, pathname }: Call, all: readonly unknown[]): GithubAnswer {
  const size = Number(query.get("per_page") ?? 30);
  const at = Number(query.get("page") ?? 1);
  const last = Math.max(1, Math.ceil(all.length / size));
  const link = (n: number, rel: string): string => {
    const others = new URLSearchParams(query);
    others.set("page", String(n));
    return `<${github.url}${pathname}?${others}>; rel="${rel}"`;
  };
  const links = [
    ...(at < last ? [link(at + 1, "next"), link(last, "last")] : []),
    ...(at > 1 ? [link(at - 1, "prev")] : []),
  ];
  return {
    status: 200,
    body: all.slice((at - 1) * size, at * size),
    ...(links.length > 0 ? { headers: { link: links.join(", ") } } : {}),
  };
}

function pullsOf({ github }: Call, isWanted: (issue: GithubIssue) => boolean): readonly Json[] {
  return github.issues
    .filter((i) => i.pull !== undefined && isWanted(i))
    .map((i) => pullJson(github, i, "pull-request-simple-items"));
}
