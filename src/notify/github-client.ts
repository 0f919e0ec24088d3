/** The one way to GitHub: a client that follows no redirect and tries nothing twice, and what refusals mean. */
import type { Octokit } from "octokit";

const requestMs = 20_000;
/** After a refusal that names no time. */
const pauseMs = 5 * 60_000;

export interface Place {
  readonly owner: string;
  readonly repo: string;
}

export interface GithubAccess {
  readonly token: string | undefined;
  /** `https://api.github.com` unless an enterprise server is meant. */
  readonly apiUrl: string;
}

/** The whole of octokit is loaded when there is something to tell and not before. @throws Error without a token */
export async function githubClient({ token, apiUrl }: GithubAccess): Promise<Octokit> {
  if (token === undefined || token === "") throw new Error("there is no token: set HOLDFAST_GITHUB_TOKEN");
  const { Octokit: Client } = await import("octokit");
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  return new Client({
    auth: token,
    baseUrl: apiUrl.replace(/\/+$/, ""),
    userAgent: "holdfast",
    log: quiet,
    // When to try again is decided by the caller, who knows what holds.
    retry: { enabled: false },
    throttle: { enabled: false },
    request: {
      fetch: (address: string, init: RequestInit) =>
        fetch(address, { ...init, signal: AbortSignal.timeout(requestMs), redirect: "error" }),
    },
  });
}

export interface Refusal {
  readonly reason: string;
  readonly waitMs: number;
}

/**
 * What GitHub's refusal means, and how long to leave it alone; `right` is what the token would need.
 * @see GitHub REST API, "Rate limits"
 */
export function refusalOf(error: unknown, nowMs: number, right = "write issues"): Refusal {
  const {
    status,
    message = String(error),
    response,
  } = error as {
    status?: number;
    message?: string;
    response?: { headers?: Readonly<Record<string, string | number | undefined>> };
  };
  const headers = response?.headers ?? {};
  const afterSeconds = Number(headers["retry-after"]);
  const resetMs = Number(headers["x-ratelimit-reset"]) * 1000;
  if (afterSeconds > 0)
    return { reason: `GitHub asks to wait ${afterSeconds} s`, waitMs: afterSeconds * 1000 };
  if (String(headers["x-ratelimit-remaining"]) === "0" && resetMs > nowMs)
    return { reason: "GitHub's rate limit is used up", waitMs: resetMs - nowMs };
  if (status === 401)
    return { reason: "GitHub refuses the token: it is wrong or has expired", waitMs: pauseMs };
  if (status === 403 || status === 404)
    return { reason: `GitHub refuses: the token lacks the right to ${right} (${status})`, waitMs: pauseMs };
  return { reason: `GitHub: ${message.split("\n")[0]}`, waitMs: status === undefined ? 0 : 60_000 };
}
