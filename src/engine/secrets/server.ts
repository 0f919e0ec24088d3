/** A throwaway server on the loopback address, made for one drill, with a key and a token of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";
import type { EngineContext } from "../engine.ts";
import { freePorts } from "../free-ports.ts";
import { type Api, openApi } from "./api.ts";
import { baoPath } from "./programs.ts";

const startMs = 60_000;
const pollMs = 100;

export interface ThrowawayServer {
  readonly address: string;
  /** Its root token; remembered for redaction. */
  readonly token: string;
  /** A client with that token; closed by `stop`. */
  readonly api: Api;
  /** Another client on the same server; closed by `stop`. */
  open(token: string): Api;
  stop(): Promise<void>;
}

/** The server's settings, as a person would start it too. `folder` is undefined for one that stores nothing. */
export function serverSettings(port: number, clusterPort: number, folder: string | undefined): string {
  const storage =
    folder === undefined
      ? 'storage "inmem" {}'
      : `storage "raft" {\n  path = ${JSON.stringify(folder)}\n  node_id = "holdfast"\n  performance_multiplier = 1\n}`;
  return `ui = false
api_addr = "http://127.0.0.1:${port}"
cluster_addr = "http://127.0.0.1:${clusterPort}"
${storage}
listener "tcp" {
  address = "127.0.0.1:${port}"
  cluster_address = "127.0.0.1:${clusterPort}"
  tls_disable = true
  max_request_size = 268435456
  max_request_json_memory = 1073741824
  max_request_json_strings = 10000000
}
`;
}

/** Initialised, unsealed and active when it returns. @throws tool-missing; tool-failed */
export async function startThrowaway(
  context: EngineContext,
  directory: string,
  storage: "memory" | "raft",
): Promise<ThrowawayServer> {
  const [port = 0, clusterPort = 0] = await freePorts(2);
  const folder = join(directory, "raft");
  if (storage === "raft") await mkdir(folder, { recursive: true, mode: 0o700 });
  const settings = join(directory, "server.hcl");
  await writeFile(settings, serverSettings(port, clusterPort, storage === "raft" ? folder : undefined), {
    mode: 0o600,
  });
  const lines: string[] = [];
  const program = await baoPath(context);
  const running = context.exec.resident({ argv: [program, "server", `-config=${settings}`] }, (line) => {
    if (/\[(ERROR|WARN)\]/.test(line) && lines.length < 20) lines.push(line.slice(0, 300));
  });
  let isOver = false;
  const over = running.ended.then((end) => {
    isOver = true;
    return end;
  });
  const address = `http://127.0.0.1:${port}`;
  const clients: Api[] = [];
  const open = (token: string): Api => {
    const api = openApi({ address, token, signal: context.signal });
    clients.push(api);
    return api;
  };
  const stop = async (): Promise<void> => {
    for (const client of clients) client.close();
    await running.stop();
    await over;
  };
  try {
    const anonymous = open("");
    await untilActive(
      context,
      anonymous,
      (status) => status === "uninitialised",
      () => isOver,
      lines,
    );
    const made = await anonymous.write("sys/init", { secret_shares: 1, secret_threshold: 1 }, "PUT");
    const token = String(made["root_token"]);
    const [unsealKey] = made["keys_base64"] as readonly string[];
    rememberSecret(token);
    rememberSecret(String(unsealKey));
    await anonymous.write("sys/unseal", { key: unsealKey }, "PUT");
    await untilActive(
      context,
      anonymous,
      (status) => status === "active",
      () => isOver,
      lines,
    );
    return { address, token, api: open(token), open, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export type Health = "active" | "standby" | "sealed" | "uninitialised" | "down";

export async function healthOf(api: Api): Promise<Health> {
  const names: Readonly<Record<number, Health>> = {
    200: "active",
    299: "sealed",
    298: "uninitialised",
    297: "standby",
  };
  return api.ask("GET", "sys/health?sealedcode=299&uninitcode=298&standbycode=297").then(
    ({ status }) => names[status] ?? "down",
    (error: unknown) => {
      if (error instanceof HoldfastError && error.code === "interrupted") throw error;
      return "down";
    },
  );
}

/** @throws tool-failed when it ended or did not come so far in time */
export async function untilActive(
  context: EngineContext,
  api: Api,
  isThere: (status: Health) => boolean | Promise<boolean>,
  isOver: () => boolean = () => false,
  lines: readonly string[] = [],
): Promise<void> {
  const giveUpAtMs = context.clock.nowMs() + startMs;
  for (;;) {
    const health = await healthOf(api);
    if (await isThere(health)) return;
    if (isOver() || context.clock.nowMs() > giveUpAtMs) {
      const what = isOver() ? "ended" : `is still '${health}' after ${startMs / 1000} s`;
      throw new HoldfastError(
        "tool-failed",
        `the throwaway server ${what}: ${lines.at(-1) ?? "it said nothing"}`,
      );
    }
    await context.clock.wait(pollMs, context.signal);
  }
}
