/** What a policy of this component says, as values with types. */
import { HoldfastError } from "../../errors.ts";
import type { Policy, SecretReference } from "../../policy/model.ts";
import type { EngineContext } from "../engine.ts";
import { type Api, openApi } from "./api.ts";

/** One place for the canary in every mount, below which nobody else writes. */
export const canaryPath = "holdfast/canary";
export const canarySecret = "holdfast-canary";

const defaultPollMs = 30_000;
const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

export interface SecretsSettings {
  /** Absent where only Kubernetes is captured. */
  readonly vault?: {
    readonly address: string;
    readonly tokenFrom?: SecretReference;
    readonly namespace?: string;
    readonly caFile?: string;
    readonly unsealKeysFrom?: SecretReference;
  };
  /** Absent unless namespaces are asked for. */
  readonly kubernetes?: {
    readonly kubeconfig?: string;
    readonly context?: string;
    readonly namespaces: readonly string[];
    readonly configMaps: boolean;
  };
  /** With a final slash; undefined for every key-value mount. */
  readonly mounts?: readonly string[];
  readonly versions: "all" | "current";
  readonly toolDirectory?: string;
  readonly pollMs: number;
}

/** @throws policy-invalid when the method lacks what it captures from */
export function settingsOf(policy: Policy): SecretsSettings {
  const { connection } = policy;
  const { method, options } = policy.capture;
  const address = textOf(connection, "vaultAddress");
  const namespaces = textsOf(options, "namespaces");
  if (address === undefined && method !== "kubernetes-secrets") {
    throw new HoldfastError("policy-invalid", `method '${method}' needs connection.vaultAddress`);
  }
  if (namespaces.length === 0 && method === "kubernetes-secrets") {
    throw new HoldfastError("policy-invalid", `method '${method}' needs capture.options.namespaces`);
  }
  const mounts = textsOf(options, "vaultMounts").map((m) => `${m.replace(/^\/+|\/+$/g, "")}/`);
  return {
    ...(address === undefined || method === "kubernetes-secrets"
      ? {}
      : {
          vault: {
            address,
            ...referenceOf(connection, "tokenFrom"),
            ...referenceOf(connection, "unsealKeysFrom"),
            ...optional("namespace", textOf(connection, "vaultNamespace")),
            ...optional("caFile", textOf(connection, "caFile")),
          },
        }),
    ...(namespaces.length === 0 || method === "raft-snapshot"
      ? {}
      : {
          kubernetes: {
            namespaces,
            configMaps: options["configMaps"] === true,
            ...optional("kubeconfig", textOf(connection, "kubeconfig")),
            ...optional("context", textOf(connection, "context")),
          },
        }),
    ...(mounts.length === 0 ? {} : { mounts }),
    versions: options["versions"] === "current" ? "current" : "all",
    ...optional("toolDirectory", textOf(options, "toolDirectory")),
    pollMs: durationMs(options["pollEvery"]) ?? defaultPollMs,
  };
}

/** @throws key-missing */
export async function tokenOf(context: EngineContext): Promise<string> {
  const reference = settingsOf(context.policy).vault?.tokenFrom;
  return reference === undefined ? "" : (await context.secret(reference)).trim();
}

/** A client of the policy's own server; the caller closes it. @throws key-missing */
export async function openVault(context: EngineContext): Promise<Api> {
  const { vault } = settingsOf(context.policy);
  if (vault === undefined) throw new HoldfastError("policy-invalid", "the policy names no vaultAddress");
  return openApi({
    address: vault.address,
    token: await tokenOf(context),
    signal: context.signal,
    ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
    ...(vault.caFile === undefined ? {} : { caFile: vault.caFile }),
  });
}

function optional<K extends string>(name: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, string>);
}

function textOf(from: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = from[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsOf(from: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = from[name];
  return Array.isArray(value) ? value.map(String) : [];
}

function referenceOf<K extends string>(
  from: Readonly<Record<string, unknown>>,
  name: K,
): Partial<Record<K, SecretReference>> {
  const value = from[name];
  return typeof value === "object" && value !== null
    ? ({ [name]: value as SecretReference } as Record<K, SecretReference>)
    : {};
}

function durationMs(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const [, digits, unit] = /^(\d+)(ms|s|m|h)$/.exec(String(value)) ?? [];
  return digits === undefined ? undefined : Number(digits) * unitsMs[unit as keyof typeof unitsMs];
}
