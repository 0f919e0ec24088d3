/** Real OpenBao servers on the loopback: initialised, unsealed, with raft storage, gone after `stop`. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Api, openApi } from "../../src/engine/secrets/api.ts";
import { exportMountOf } from "../../src/engine/secrets/export.ts";
import { linesOf } from "../../src/engine/secrets/fingerprint.ts";
import { findMounts, readPolicies } from "../../src/engine/secrets/key-value.ts";
import { healthOf, serverSettings } from "../../src/engine/secrets/server.ts";
import type { Policy } from "../../src/policy/model.ts";
import { freePort } from "./ports.ts";
import { killed, until } from "./waiting.ts";
import { policyFor } from "./world.ts";

/** Full path of `bao`, or undefined where it cannot be had. */
export function baoProgram(): string | undefined {
  const script = fileURLToPath(new URL("../../.ci/openbao.sh", import.meta.url));
  try {
    return execFileSync("sh", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  } catch {
    return undefined;
  }
}

export interface TestBao {
  readonly address: string;
  readonly token: string;
  readonly unsealKey: string;
  readonly api: Api;
  stop(): Promise<void>;
}

export async function startBao(program: string): Promise<TestBao> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bao-"));
  mkdirSync(join(folder, "raft"));
  const port = await freePort();
  writeFileSync(join(folder, "server.hcl"), serverSettings(port, await freePort(), join(folder, "raft")));
  const child = spawn(program, ["server", `-config=${join(folder, "server.hcl")}`], { stdio: "ignore" });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const address = `http://127.0.0.1:${port}`;
  const anonymous = openApi({ address, token: "" });
  await until(async () => (await healthOf(anonymous)) === "uninitialised");
  const made = await anonymous.write("sys/init", { secret_shares: 1, secret_threshold: 1 }, "PUT");
  const token = String(made["root_token"]);
  const unsealKey = String((made["keys_base64"] as readonly string[])[0]);
  await anonymous.write("sys/unseal", { key: unsealKey }, "PUT");
  await until(async () => (await healthOf(anonymous)) === "active");
  anonymous.close();
  const api = openApi({ address, token });
  return {
    address,
    token,
    unsealKey,
    api,
    stop: async () => {
      process.removeListener("exit", last);
      api.close();
      await killed(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Mounts a key-value engine and waits until it takes values. */
export async function mountKeyValue(api: Api, path: string, version: 1 | 2): Promise<void> {
  await api.write(`sys/mounts/${path}`, { type: "kv", options: { version: String(version) } });
  if (version === 2) await until(async () => (await api.ask("GET", `${path}/config`)).status === 200);
}

/** The same for equal secrets and policies; canaries do not count. */
export async function contentsOf(api: Api): Promise<string> {
  const key = "00".repeat(32);
  const context = {
    policy: secretsPolicy({ address: api.address }),
    step: () => undefined,
  } as unknown as Parameters<typeof exportMountOf>[0];
  const lines: string[] = [];
  for (const mount of (await findMounts(api, undefined)).mounts)
    lines.push(...linesOf(key, (await exportMountOf(context, api, mount, key)).document).values());
  lines.push(...linesOf(key, await readPolicies(api)).values());
  return lines.sort().join("\n");
}

export const tokenName = "HOLDFAST_TEST_BAO_TOKEN";
export const unsealName = "HOLDFAST_TEST_BAO_UNSEAL";

export function secretsPolicy(bao: Pick<TestBao, "address">, changes: Partial<Policy> = {}): Policy {
  const { log: _, ...general } = policyFor({ port: 0, binDirectory: "" });
  return {
    ...general,
    name: "secrets",
    component: "secrets",
    connection: { vaultAddress: bao.address, tokenFrom: { env: tokenName } },
    objectives: { ...general.objectives, rpoMs: 25 * 3_600_000, reachMs: "forever", pitrWindowMs: 0 },
    schedule: { kind: "change", debounceMs: 500, atLeastEveryMs: 86_400_000 },
    capture: { method: "vault-export", codec: "zstd", level: 1, options: {} },
    store: { name: "primary", prefix: "secrets/" },
    assertions: [],
    canaryEveryMs: 0,
    ...changes,
  };
}
