/**
 * A scriptable HTTP proxy for one target: the place where tests put faults. Headers pass unchanged, Host
 * too, since a signature covers the address the client called.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

export type Fault =
  /** Answered here; the target never sees it. */
  | { readonly kind: "answer"; readonly status: number; readonly body?: string }
  | { readonly kind: "delay"; readonly ms: number }
  /** Goes on to the target when the promise is kept. */
  | { readonly kind: "hold"; readonly until: Promise<unknown> }
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /** The connection is broken after so many bytes of the body. */
  | { readonly kind: "cut-request"; readonly afterBytes: number }
  | { readonly kind: "cut-response"; readonly afterBytes: number }
  /** Broken before anything is forwarded. */
  | { readonly kind: "refuse" }
  /** Taken, and never answered. */
  | { readonly kind: "hang" }
  /** The target has done it, but its answer is lost. */
  | { readonly kind: "lose-answer" }
  | { readonly kind: "flip"; readonly where: "request" | "response"; readonly atByte: number }
  | { readonly kind: "rewrite"; readonly change: (body: string) => string; readonly status?: number }
  | { readonly kind: "strip-request-headers"; readonly names: readonly string[] };

export interface Rule {
  readonly method?: string;
  /** Against path and query. */
  readonly path?: RegExp;
  /** Matches that pass untouched first. */
  readonly skip?: number;
  /** Matches the fault is done to; 1 when absent. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface LogEntry {
  readonly method: string;
  readonly path: string;
  readonly fault: Fault["kind"] | undefined;
  status: number;
}

export interface FaultProxy {
  readonly port: number;
  readonly log: readonly LogEntry[];
  /** Replaces all rules, forgets their counts and empties the log. */
  script(rules: readonly Rule[]): void;
  /** How often a fault was done since the last script. */
  readonly faults: number;
  stop(): Promise<void>;
}

function headersOf(raw: readonly string[], without: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2)
    if (!without.includes(raw[at]!.toLowerCase())) kept.push(raw[at]!, raw[at + 1]!);
  return kept;
}

function flipped(chunk: Buffer, index: number): Buffer {
  if (index < 0 || index >= chunk.byteLength) return chunk;
  const changed = Buffer.from(chunk);
  changed[index] = changed[index]! ^ 0x01;
  return changed;
}

async function carry(
  from: IncomingMessage,
  to: Writable,
  fault: Fault | undefined,
  where: "request" | "response",
  cut: () => void,
): Promise<void> {
  let seen = 0;
  for await (const piece of from) {
    let chunk = piece as Buffer;
    if (fault?.kind === "flip" && fault.where === where) chunk = flipped(chunk, fault.atByte - seen);
    if (
      fault?.kind === `cut-${where}` &&
      "afterBytes" in fault &&
      seen + chunk.byteLength >= fault.afterBytes
    ) {
      to.write(chunk.subarray(0, fault.afterBytes - seen));
      await sleep(20);
      return cut();
    }
    seen += chunk.byteLength;
    if (fault?.kind === "slow") await sleep((chunk.byteLength / fault.bytesPerSecond) * 1_000);
    if (!to.write(chunk)) {
      const over = new AbortController();
      await Promise.race([
        once(to, "drain", { signal: over.signal }),
        once(to, "close", { signal: over.signal }),
      ]).finally(() => over.abort());
    }
  }
  to.end();
}

async function answerWith(fault: Fault | undefined, upstream: IncomingMessage, response: ServerResponse) {
  const broken = () => response.destroy();
  if (fault?.kind === "lose-answer") {
    for await (const _ of upstream);
    broken();
    return;
  }
  if (fault?.kind === "rewrite") {
    const chunks: Buffer[] = [];
    for await (const chunk of upstream) chunks.push(chunk as Buffer);
    const body = Buffer.from(fault.change(Buffer.concat(chunks).toString("utf8")));
    const headers = headersOf(upstream.rawHeaders, ["content-length", "transfer-encoding"]);
    response.writeHead(fault.status ?? upstream.statusCode ?? 500, [
      ...headers,
      "Content-Length",
      String(body.length),
    ]);
    response.end(body);
    return;
  }
  response.writeHead(upstream.statusCode ?? 500, [...upstream.rawHeaders]);
  response.flushHeaders();
  await carry(upstream, response, fault, "response", broken);
}

/** A proxy on a free port of this machine in front of `target`, like `http://127.0.0.1:9000`. */
export async function startProxy(options: { readonly target: string }): Promise<FaultProxy> {
  const { hostname, port } = new URL(options.target);
  let rules: { readonly rule: Rule; seen: number }[] = [];
  let log: LogEntry[] = [];

  const faultFor = (method: string, path: string): Fault | undefined => {
    for (const entry of rules) {
      const { rule } = entry;
      if (rule.method !== undefined && rule.method !== method) continue;
      if (rule.path !== undefined && !rule.path.test(path)) continue;
      entry.seen += 1;
      const turn = entry.seen - (rule.skip ?? 0);
      if (turn > 0 && turn <= (rule.times ?? 1)) return rule.fault;
    }
    return undefined;
  };

  const server = createServer((incoming, response) => {
    const method = incoming.method ?? "";
    const path = incoming.url ?? "";
    const fault = faultFor(method, path);
    const entry: LogEntry = { method, path, fault: fault?.kind, status: 0 };
    log.push(entry);
    const pass = async () => {
      if (fault?.kind === "refuse") {
        incoming.socket.destroy();
        return;
      }
      if (fault?.kind === "hang") {
        incoming.resume();
        return;
      }
      if (fault?.kind === "delay") await sleep(fault.ms);
      if (fault?.kind === "hold") await fault.until;
      if (fault?.kind === "answer") {
        incoming.resume();
        entry.status = fault.status;
        response.writeHead(fault.status, { "content-type": "application/xml" });
        response.end(fault.body ?? "");
        return;
      }
      const strip = fault?.kind === "strip-request-headers" ? fault.names : [];
      const outgoing = request({
        host: hostname,
        port,
        method,
        path,
        headers: headersOf(incoming.rawHeaders, strip) as unknown as Record<string, string>,
        agent: false,
      });
      const both = () => {
        outgoing.destroy();
        incoming.socket.destroy();
      };
      response.once("close", () => outgoing.destroy());
      outgoing.once("error", () => response.destroy());
      outgoing.once("response", (upstream) => {
        entry.status = upstream.statusCode ?? 0;
        answerWith(fault, upstream, response).catch(both);
      });
      await carry(incoming, outgoing, fault, "request", both);
    };
    pass().catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get log() {
      return log;
    },
    get faults() {
      return log.filter((entry) => entry.fault !== undefined).length;
    },
    script: (next) => {
      rules = next.map((rule) => ({ rule, seen: 0 }));
      log = [];
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
