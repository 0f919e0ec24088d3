/**
 * Requests to the HTTP API of OpenBao or Vault. Answers and request bodies are secrets: neither ever reaches a
 * message, and the server's own error texts are left out because they may quote what was sent.
 */
import { readFileSync } from "node:fs";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { HoldfastError } from "../../errors.ts";
import { parseExact } from "./json.ts";

const timeoutMs = 30_000;
const longestAnswerBytes = 256 * 2 ** 20;

export interface ApiSettings {
  readonly address: string;
  readonly token: string;
  readonly namespace?: string;
  readonly caFile?: string;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface Api {
  readonly address: string;
  /** Any answer of a server that is up and unsealed. @throws source-unreachable, tool-failed (403), interrupted */
  ask(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  /** `data` of a 2xx answer; undefined for 404. @throws also tool-failed for every other status */
  read(path: string): Promise<Record<string, unknown> | undefined>;
  list(path: string): Promise<readonly string[]>;
  write(path: string, body: unknown, method?: string): Promise<Record<string, unknown>>;
  close(): void;
}

/** Escapes each segment of a path, which may hold blanks, percent signs and any letter. */
export function escapePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

export function openApi(settings: ApiSettings): Api {
  const server = new URL(settings.address);
  const isPlain = server.protocol === "http:";
  const agent = isPlain
    ? new HttpAgent({ keepAlive: true, maxSockets: 8 })
    : new HttpsAgent({
        keepAlive: true,
        maxSockets: 8,
        ...(settings.caFile === undefined ? {} : { ca: readAuthority(settings.caFile) }),
      });

  const send = (method: string, path: string, body?: unknown): Promise<ApiAnswer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const failed = (cause: Error): void => reject(unreachable(settings, cause));
      const start = isPlain ? httpRequest : httpsRequest;
      const outgoing = start(
        new URL(`${server.pathname.replace(/\/$/, "")}/v1/${path}`, server),
        {
          method,
          agent,
          timeout: timeoutMs,
          headers: {
            "X-Vault-Request": "true",
            ...(settings.token === "" ? {} : { "X-Vault-Token": settings.token }),
            ...(settings.namespace === undefined ? {} : { "X-Vault-Namespace": settings.namespace }),
            ...(text === undefined
              ? {}
              : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(text)) }),
          },
          ...(settings.signal === undefined ? {} : { signal: settings.signal }),
        },
        (answer) => {
          const pieces: Buffer[] = [];
          let sizeBytes = 0;
          answer.on("data", (piece: Buffer) => {
            sizeBytes += piece.length;
            if (sizeBytes > longestAnswerBytes) outgoing.destroy(new Error("the answer is too long"));
            else pieces.push(piece);
          });
          answer.on("aborted", () => failed(new Error("the connection was cut inside an answer")));
          answer.on("error", failed);
          answer.on("end", () => {
            try {
              const whole = Buffer.concat(pieces).toString("utf8");
              resolve({ status: answer.statusCode ?? 0, body: whole === "" ? undefined : parseExact(whole) });
            } catch {
              failed(new Error("the answer is not JSON"));
            }
          });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
      outgoing.on("error", failed);
      outgoing.end(text);
    });

  const ask = async (method: string, path: string, body?: unknown): Promise<ApiAnswer> => {
    const answer = await send(method, path, body);
    const place = `'${decodeURIComponent(path.replace(/\?.*$/, "").replace(/%(?![0-9a-f]{2})/gi, "%25"))}'`;
    if (answer.status === 403) {
      const what = method === "LIST" ? "listing" : method === "GET" ? "reading" : "writing";
      throw new HoldfastError("tool-failed", `${server.host} refuses ${what} ${place}: permission denied`, {
        hint: "the token is wrong or expired, or its policy lacks this path; docs/components/secrets.md lists the rights",
      });
    }
    if (answer.status >= 500) {
      const why = isSealed(answer) ? "it is sealed" : `status ${answer.status}`;
      throw new HoldfastError("source-unreachable", `${server.host} does not serve ${place}: ${why}`);
    }
    return answer;
  };
  const demand = (answer: ApiAnswer, path: string): Record<string, unknown> => {
    if (answer.status >= 200 && answer.status < 300) return (answer.body ?? {}) as Record<string, unknown>;
    throw new HoldfastError("tool-failed", `${server.host} answers '${path}' with status ${answer.status}`);
  };
  const read = async (path: string): Promise<Record<string, unknown> | undefined> => {
    const answer = await ask("GET", path);
    return answer.status === 404 ? undefined : dataOf(demand(answer, path));
  };
  return {
    address: settings.address,
    ask,
    read,
    list: async (path) => {
      const answer = await ask("LIST", path);
      if (answer.status === 404) return [];
      const keys = dataOf(demand(answer, path))["keys"];
      return Array.isArray(keys) ? keys.map(String) : [];
    },
    write: async (path, body, method = "POST") => demand(await ask(method, path, body), path),
    close: () => agent.destroy(),
  };
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new HoldfastError("usage", `the certificate file '${path}' cannot be read`, { cause });
  }
}

function dataOf(body: Record<string, unknown>): Record<string, unknown> {
  return (body["data"] ?? {}) as Record<string, unknown>;
}

function isSealed(answer: ApiAnswer): boolean {
  const errors = (answer.body as { errors?: unknown } | undefined)?.errors;
  return Array.isArray(errors) && errors.some((e) => /is sealed/i.test(String(e)));
}

function unreachable(settings: ApiSettings, cause: Error): HoldfastError {
  if (settings.signal?.aborted === true) return new HoldfastError("interrupted", "the run was interrupted");
  const { code } = cause as NodeJS.ErrnoException;
  const host = new URL(settings.address).host;
  return new HoldfastError("source-unreachable", `${host} cannot be reached: ${code ?? cause.message}`);
}
