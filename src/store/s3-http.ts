/**
 * The plain HTTP client that carries object bytes: presigned requests over a few kept-open connections. The
 * SDK's own upload path costs several times the processor time for the same bytes.
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";
import { S3Failure, withoutQuery } from "./s3-failure.ts";

export interface PlainRequest {
  readonly method: "GET" | "PUT";
  /** Presigned; never shown. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

const largestErrorBytes = 64 * 1024;

function xmlText(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
}

/** The failure an answer stands for: S3's code and message, and nothing else of its body. */
export function failureOfAnswer(status: number, body: string): S3Failure {
  const code = xmlText(body, "Code") ?? (status === 404 ? "NotFound" : `HTTP${status}`);
  return new S3Failure(
    status,
    code,
    withoutQuery(xmlText(body, "Message") ?? `the server answered ${status}`),
  );
}

function failureOfSocket(error: Error & { code?: string }): S3Failure {
  return new S3Failure(0, error.code ?? error.name, withoutQuery(error.message || String(error.code)));
}

/** Reads an answer's short body; a longer one is cut off with its connection. */
async function shortBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
      if (size > largestErrorBytes) break;
    }
  } catch (error) {
    if (response.statusCode !== undefined && response.statusCode < 300) throw failureOfSocket(error as Error);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export class PlainClient {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #send: typeof httpRequest;
  readonly #idleTimeoutMs: number;

  /** `idleTimeoutMs`: a request on which no byte moves for that long has failed; a slow one has not. */
  constructor(endpoint: string, idleTimeoutMs: number) {
    const secure = !endpoint.startsWith("http://");
    const options = { keepAlive: true, maxSockets: 8, maxFreeSockets: 4, scheduling: "lifo" } as const;
    this.#agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
    this.#send = secure ? (httpsRequest as typeof httpRequest) : httpRequest;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** The answer's head, whatever its status; its body is still to be read. @throws S3Failure with status 0 */
  start(plain: PlainRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options: RequestOptions = {
        method: plain.method,
        agent: this.#agent,
        headers: {
          ...plain.headers,
          ...(plain.method === "PUT" ? { "content-length": String(plain.body?.byteLength ?? 0) } : {}),
        },
        ...(plain.signal === undefined ? {} : { signal: plain.signal }),
      };
      const outgoing = this.#send(plain.url, options, (response) => {
        // An early refusal may come while the body is still on its way; the answer counts, not the broken pipe.
        resolve(response);
      });
      outgoing.setTimeout(this.#idleTimeoutMs, () => {
        const error: Error & { code?: string } = new Error(`nothing moved for ${this.#idleTimeoutMs} ms`);
        error.code = "ETIMEDOUT";
        outgoing.destroy(error);
      });
      outgoing.on("error", (error) => reject(failureOfSocket(error)));
      outgoing.end(plain.body);
    });
  }

  /** A whole exchange with a short answer. @throws S3Failure */
  async exchange(plain: PlainRequest): Promise<IncomingMessage> {
    const response = await this.start(plain);
    const body = await shortBody(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw failureOfAnswer(status, body);
    if (body.includes("<Error>")) throw failureOfAnswer(500, body);
    return response;
  }

  /** An open answer with object bytes. @throws S3Failure */
  async open(plain: PlainRequest): Promise<IncomingMessage> {
    const response = await this.start(plain);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw failureOfAnswer(status, await shortBody(response));
    return response;
  }

  /** All of an open answer's body, as many bytes as it announced. @throws S3Failure */
  async whole(response: IncomingMessage): Promise<Buffer> {
    try {
      const bytes = await buffer(response);
      const announced = response.headers["content-length"];
      if (announced !== undefined && Number(announced) !== bytes.byteLength)
        throw new S3Failure(0, "ShortBody", `${bytes.byteLength} of ${announced} bytes came`);
      return bytes;
    } catch (error) {
      throw error instanceof S3Failure ? error : failureOfSocket(error as Error);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
