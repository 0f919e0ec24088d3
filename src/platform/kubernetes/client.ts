/**
 * Requests to an API server. Who and where comes from `@kubernetes/client-node` (kubeconfig, service account,
 * exec plugins, token renewal); the requests are our own, because preconditions, apply patches, bookmarks and
 * the exact status of each answer are what this room is about.
 */
import { existsSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { type ErrorCode, HoldfastError } from "../../errors.ts";
import type { Clock } from "../../time/clock.ts";

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const requestTimeoutMs = 30_000;
const tries = 5;
const authFreshMs = 30_000;
const longestAnswerBytes = 256 * 2 ** 20;

/** An answer other than 2xx; `reason` is the API server's word for it. */
export class KubeRefusal extends HoldfastError {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(codeOf(status), message);
    this.status = status;
    this.reason = reason;
  }
}

export interface KubeRequest {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

export interface KubeClient {
  /** Namespace of the service account or the kubeconfig's context, if it names one. */
  readonly namespace: string | undefined;
  /**
   * The answer's body. Busy servers (429, 5xx before anything was done, refused connections) are tried again.
   * @throws KubeRefusal; platform-unreachable
   */
  request<T>(method: string, path: string, details?: KubeRequest): Promise<T>;
  /**
   * One watch request: calls `onLine` for each event until the server ends it or the signal aborts.
   * @throws KubeRefusal (410 included); platform-unreachable when it was cut
   */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    onLine: (event: unknown) => void,
    signal: AbortSignal,
  ): Promise<void>;
  close(): void;
}

/** Reads KUBECONFIG, the service account's files or ~/.kube/config, in that order. */
export function openKubeClient(clock: Clock, options: { readonly kubeconfig?: string } = {}): KubeClient {
  const config = new KubeConfig();
  try {
    if (options.kubeconfig !== undefined) config.loadFromFile(options.kubeconfig);
    else if (process.env["KUBECONFIG"] === undefined && existsSync(tokenPath)) config.loadFromCluster();
    else config.loadFromDefault();
  } catch (cause) {
    throw new HoldfastError("usage", "the kubeconfig cannot be read", { cause });
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new HoldfastError("usage", "the kubeconfig has no current context");
  const server = new URL(cluster.server);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;

  let auth: { readonly options: RequestOptions; readonly readAtMs: number } | undefined;
  let agent: Agent | undefined;
  const authorize = async (): Promise<RequestOptions> => {
    const nowMs = clock.nowMs();
    if (auth !== undefined && Math.abs(nowMs - auth.readAtMs) < authFreshMs) return auth.options;
    const fresh: RequestOptions = {};
    await config.applyToHTTPSOptions(fresh);
    const { headers, ca, cert, key, rejectUnauthorized, servername } = fresh;
    const tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(servername === undefined ? {} : { servername }),
    };
    agent ??= new Agent({ keepAlive: true, ...tls });
    auth = {
      readAtMs: nowMs,
      options: {
        ...(headers === undefined ? {} : { headers }),
        ...(fresh.auth === undefined || fresh.auth === null ? {} : { auth: fresh.auth }),
        ...(server.protocol === "http:"
          ? {}
          : { ...tls, agent: cluster.proxyUrl === undefined ? agent : fresh.agent }),
      },
    };
    return auth.options;
  };

  const send = async (method: string, path: string, details: KubeRequest): Promise<IncomingMessage> => {
    const known = await authorize();
    const query = new URLSearchParams(details.query).toString();
    const url = new URL(
      `${server.pathname.replace(/\/$/, "")}${path}${query === "" ? "" : `?${query}`}`,
      server,
    );
    const body = details.body === undefined ? undefined : JSON.stringify(details.body);
    const headers = {
      ...(known.headers as Record<string, string> | undefined),
      Accept: details.accept ?? "application/json",
      "User-Agent": "holdfast",
      ...(body === undefined
        ? {}
        : {
            "Content-Type": details.contentType ?? "application/json",
            // Node frames the body of a DELETE only when told its length.
            "Content-Length": String(Buffer.byteLength(body)),
          }),
    };
    return new Promise((resolve, reject) => {
      const start = server.protocol === "http:" ? httpRequest : httpsRequest;
      const outgoing = start(url, {
        ...known,
        method,
        headers,
        ...(details.signal === undefined ? {} : { signal: details.signal }),
      });
      outgoing.on("response", resolve);
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  };

  return {
    namespace,
    request: async <T>(method: string, path: string, details: KubeRequest = {}): Promise<T> => {
      for (let attempt = 1; ; attempt += 1) {
        const limit = AbortSignal.timeout(requestTimeoutMs);
        const signal = details.signal === undefined ? limit : AbortSignal.any([limit, details.signal]);
        let pauseMs = 100 * 2 ** attempt;
        try {
          const answer = await send(method, path, { ...details, signal });
          const text = await readWhole(answer);
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) return JSON.parse(text) as T;
          const refusal = refusalOf(status, text, `${method} ${path}`);
          if (attempt >= tries || !isWorthAnother(status, method)) throw refusal;
          const retryAfter = Number(answer.headers["retry-after"]);
          if (Number.isFinite(retryAfter)) pauseMs = Math.min(retryAfter, 10) * 1000;
        } catch (error) {
          if (error instanceof HoldfastError) throw error;
          if (details.signal?.aborted === true) throw details.signal.reason;
          // A write whose answer was lost may have been done: the next turn looks before it writes.
          const isSafe = method === "GET" || (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
          if (attempt >= tries || !isSafe) throw unreachable(server, error);
        }
        await clock.wait(pauseMs * (0.5 + Math.random()), details.signal);
      }
    },
    watch: async (path, query, onLine, signal) => {
      try {
        const answer = await send("GET", path, { query: { ...query, watch: "1" }, signal });
        if (answer.statusCode !== 200) {
          throw refusalOf(answer.statusCode ?? 0, await readWhole(answer), `watch ${path}`);
        }
        let rest = "";
        answer.setEncoding("utf8");
        for await (const chunk of answer) {
          const lines = `${rest}${chunk}`.split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) if (line !== "") onLine(JSON.parse(line));
        }
      } catch (error) {
        if (signal.aborted || error instanceof HoldfastError) throw error;
        throw unreachable(server, error);
      }
    },
    close: () => agent?.destroy(),
  };
}

async function readWhole(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer) {
    size += (part as Buffer).length;
    if (size > longestAnswerBytes) throw new HoldfastError("platform-failed", "the answer is too long");
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** 429 and 503 say that nothing was done; other 5xx say it for reads only. */
function isWorthAnother(status: number, method: string): boolean {
  return status === 429 || status === 503 || (status >= 500 && method === "GET");
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "platform-denied";
  if (status === 429 || status >= 500) return "platform-unreachable";
  return "platform-failed";
}

function refusalOf(status: number, text: string, what: string): KubeRefusal {
  let reason = "";
  let message = text.slice(0, 300);
  try {
    const parsed = JSON.parse(text) as { reason?: string; message?: string };
    reason = parsed.reason ?? "";
    message = parsed.message ?? message;
  } catch {
    // A proxy's own page.
  }
  return new KubeRefusal(status, reason, `${what}: ${status} ${message}`);
}

function unreachable(server: URL, cause: unknown): HoldfastError {
  const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new HoldfastError(
    "platform-unreachable",
    `the API server '${server.host}' does not answer (${why})`,
    {
      cause,
    },
  );
}

/** Whether the API server has refused with this status. */
export function isRefusal(error: unknown, status: number): error is KubeRefusal {
  return error instanceof KubeRefusal && error.status === status;
}
