/**
 * Every mount of an OpenBao or Vault server. A raft snapshot takes them all; an export takes values of key-value
 * mounts alone. Of a cluster's namespaces only the policy's own are looked at: the others are Velero's to list.
 */
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import type { Api } from "./api.ts";
import { serverFacts } from "./capture.ts";
import { openVault, settingsOf } from "./settings.ts";

export const sourceInventory: SourceInventory = { address, misses, look };

const keyValue = "kv";
const identityMount = "identity";

function address(policy: Policy): string {
  const { vaultAddress, vaultNamespace, kubeconfig, context } = policy.connection;
  if (typeof vaultAddress !== "string") return `cluster ${kubeconfig ?? ""} ${context ?? ""}`.trim();
  const host = URL.canParse(vaultAddress) ? new URL(vaultAddress).host : vaultAddress;
  return typeof vaultNamespace === "string" ? `${host} ${vaultNamespace}` : host;
}

function misses(policy: Policy, { name, detail }: SourceItem): string | undefined {
  if (takesAll(policy)) return undefined;
  if (detail !== keyValue)
    return `an export holds key-value secrets, and this is of type ${detail ?? "unknown"}`;
  const { mounts } = settingsOf(policy);
  return mounts === undefined || mounts.includes(`${name}/`)
    ? undefined
    : "capture.options.vaultMounts leaves it out";
}

function takesAll(policy: Policy): boolean {
  return policy.capture.method === "raft-snapshot";
}

async function look(context: EngineContext): Promise<SourceLook> {
  const { vault, mounts } = settingsOf(context.policy);
  if (vault === undefined) return { server: address(context.policy), items: [], unseen: [] };
  const api = await openVault(context);
  try {
    const { identity } = await serverFacts(api);
    const server = identity === "" ? address(context.policy) : `${identity} ${vault.namespace ?? ""}`.trim();
    try {
      return { server, ...(await mountsOf(api, takesAll(context.policy))) };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
      const items = (mounts ?? []).map((path) => ({
        kind: "mount",
        name: path.replace(/\/$/, ""),
        detail: keyValue,
      }));
      return { server, items, unseen: ["the server's other mounts: the token may not read sys/mounts"] };
    }
  } finally {
    api.close();
  }
}

async function mountsOf(api: Api, takesAll: boolean): Promise<Pick<SourceLook, "items" | "unseen">> {
  const found = Object.entries((await api.read("sys/mounts")) ?? {}) as [
    string,
    { readonly type?: string },
  ][];
  // No right to list them and no groups are two things; who takes everything need not know.
  const groups = takesAll ? [] : await api.list(`${identityMount}/group/id`).catch(refused);
  const items = found.map(([path, { type = "unknown" }]): SourceItem => {
    const setAside = ownReason(type, groups?.length ?? 0);
    return {
      kind: "mount",
      name: path.replace(/\/$/, ""),
      detail: type,
      ...(setAside === undefined ? {} : { setAside }),
    };
  });
  const unseen = groups === undefined ? ["identity groups: the token may not list identity/group/id"] : [];
  return { items, unseen };
}

function refused(error: unknown): undefined {
  if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
  return undefined;
}

/** Mounts that every server has and nobody fills. */
function ownReason(type: string, groups: number): string | undefined {
  if (type === "system" || type === "ns_system") return "the server's own settings; policies are exported";
  if (type === "cubbyhole" || type === "ns_cubbyhole") return "each token's own, gone with the token";
  const isIdentity = type === identityMount || type === "ns_identity";
  return isIdentity && groups === 0 ? "it holds no group, and entities come back with logins" : undefined;
}
