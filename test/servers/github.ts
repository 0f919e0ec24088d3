/**
 * A stand-in GitHub on 127.0.0.1: issues, pull requests, comments and labels of one repository, in memory.
 * Every request and every answer is held against GitHub's own API description; what does not fit is answered
 * with 500 and stands in `faults`, which a test expects to be empty.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { githubDescription } from "./github-description.ts";
import { answer, type GithubAnswer } from "./github-operations.ts";
import { refusal } from "./github-values.ts";

export interface GithubComment {
  readonly id: number;
  body: string;
  readonly author: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
}

/** An issue, or a pull request where `pull` is there. */
export interface GithubIssue {
  readonly number: number;
  title: string;
  body: string;
  state: "open" | "closed";
  stateReason: string | null;
  labels: string[];
  assignees: string[];
  readonly author: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  closedAtMs: number | null;
  readonly comments: GithubComment[];
  readonly pull?: {
    headSha: string;
    readonly headRef: string;
    /** `owner/name` of the repository the head is in; another one for a fork. */
    readonly headRepository: string;
    readonly baseRef: string;
    readonly baseSha: string;
  };
}

export interface GithubRequest {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  status: number;
}

/** What GitHub does instead of an answer: until it is taken away, or a number of times. */
export type GithubTrouble =
  /** The connection is cut. */
  | { readonly kind: "down" }
  | { readonly kind: "failing"; readonly status: 500 | 502 | 503 }
  | { readonly kind: "rate-limit"; readonly resetAtMs: number }
  | { readonly kind: "secondary-limit"; readonly retryAfterSeconds: number }
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The request is carried out, its answer is lost. */
  | { readonly kind: "answer-lost" };

export interface GithubState {
  readonly repository: string;
  readonly url: string;
  readonly login: string;
  readonly issues: GithubIssue[];
  readonly labels: Map<string, { color: string; description: string }>;
  readonly clock: () => number;
  nextId: number;
}

export interface Github extends GithubState {
  /** Value of `GITHUB_API_URL`. */
  readonly url: string;
  /** The only token that is taken; replace it to let the old one expire. */
  token: string;
  /** Names of operations that the token may not do, such as `issues/create`. */
  readonly denied: Set<string>;
  readonly requests: GithubRequest[];
  /** What went against the API description. */
  readonly faults: string[];
  /** Undefined for none; with `times` it ends by itself. */
  trouble: (GithubTrouble & { times?: number; readonly only?: string }) | undefined;
  /** Opens a pull request and gives its number. */
  openPull(pull: {
    readonly title: string;
    readonly headSha: string;
    readonly baseSha: string;
    readonly fork?: string;
  }): number;
  close(): Promise<void>;
}

export interface GithubOptions {
  /** `owner/name` */
  readonly repository?: string;
  readonly token?: string;
  /** Login the token belongs to. */
  readonly login?: string;
  /** The present, for simulated days. */
  readonly clock?: () => number;
  /** Comments of an issue that exist before, and so on, are made through the fields. */
  readonly port?: number;
}

/** A running stand-in; the caller closes it. */
export async function startGithub(options: GithubOptions = {}): Promise<Github> {
  const server = createServer((request, response) => {
    serve(github, request, response).catch((error: unknown) => {
      github.faults.push(`the stand-in failed: ${(error as Error).stack ?? String(error)}`);
      response.destroy();
    });
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const clock = options.clock ?? Date.now;
  const github: Github = {
    repository: options.repository ?? "octo-org/backups",
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    login: options.login ?? "github-actions[bot]",
    token: options.token ?? "token-of-the-stand-in",
    clock,
    issues: [],
    labels: new Map(),
    nextId: 1,
    denied: new Set(),
    requests: [],
    faults: [],
    trouble: undefined,
    openPull({ title, headSha, baseSha, fork }) {
      const number = github.issues.length + 1;
      github.issues.push({
        number,
        title,
        body: "",
        state: "open",
        stateReason: null,
        labels: [],
        assignees: [],
        author: fork === undefined ? "mona" : (fork.split("/")[0] ?? "stranger"),
        createdAtMs: clock(),
        updatedAtMs: clock(),
        closedAtMs: null,
        comments: [],
        pull: {
          headSha,
          headRef: "change",
          headRepository: fork ?? github.repository,
          baseRef: "main",
          baseSha,
        },
      });
      return number;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return github;
}

async function serve(github: Github, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  const { pathname, searchParams } = new URL(request.url ?? "/", github.url);
  const method = request.method ?? "GET";
  const operation = githubDescription().find(method, pathname);
  if (operation === undefined) {
    github.faults.push(`GitHub has no ${method} ${pathname}`);
    return send(response, { status: 404, body: refusal(404, "Not Found") });
  }
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  const entry: GithubRequest = { operation: operation.id, method, path: pathname, body, status: 0 };
  github.requests.push(entry);
  for (const fault of operation.requestFaults(searchParams, body))
    github.faults.push(`${operation.id}: request: ${fault}`);

  const { trouble } = github;
  const isHit = trouble !== undefined && (trouble.only === undefined || trouble.only === operation.id);
  if (isHit && trouble.times !== undefined) {
    trouble.times -= 1;
    if (trouble.times <= 0) github.trouble = undefined;
  }
  if (isHit && trouble.kind === "down") return void response.destroy();
  if (isHit && trouble.kind === "slow") await new Promise((resolve) => setTimeout(resolve, trouble.delayMs));
  const troubled = isHit ? troubleAnswer(trouble) : undefined;
  const given =
    troubled ??
    refused(github, request, operation.id) ??
    answer(github, operation, { pathname, query: searchParams, body });
  entry.status = given.status;
  if (isHit && trouble.kind === "answer-lost") return void response.destroy();
  const faults = operation.answerFaults(given.status, given.body);
  if (faults.length === 0) return send(response, given);
  github.faults.push(...faults.map((fault) => `${operation.id}: answer ${given.status}: ${fault}`));
  send(response, { status: 500, body: refusal(500, "the stand-in is wrong") });
}

function troubleAnswer(trouble: GithubTrouble): GithubAnswer | undefined {
  switch (trouble.kind) {
    case "failing":
      return { status: trouble.status, body: refusal(trouble.status, "Server Error") };
    case "rate-limit":
      return {
        status: 403,
        body: refusal(403, "API rate limit exceeded for installation ID 1."),
        headers: {
          "x-ratelimit-limit": "5000",
          "x-ratelimit-remaining": "0",
          "x-ratelimit-reset": String(Math.ceil(trouble.resetAtMs / 1000)),
        },
      };
    case "secondary-limit":
      return {
        status: 403,
        body: refusal(403, "You have exceeded a secondary rate limit. Please wait a few minutes."),
        headers: { "retry-after": String(trouble.retryAfterSeconds) },
      };
    default:
      return undefined;
  }
}

function refused(github: Github, request: IncomingMessage, operation: string): GithubAnswer | undefined {
  const given = /^(?:token|bearer) (.*)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (given !== github.token) return { status: 401, body: refusal(401, "Bad credentials") };
  if (github.denied.has(operation))
    return { status: 403, body: refusal(403, "Resource not accessible by integration") };
  return undefined;
}

function send(response: ServerResponse, { status, body, headers = {} }: GithubAnswer): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
