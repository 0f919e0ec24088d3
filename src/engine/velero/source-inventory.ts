/**
 * Everything of a cluster that a backup can hold or miss: namespaces that hold something, claims with a volume
 * behind them, and volumes without a claim, which Velero cannot read.
 */
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { identityOf } from "./capture.ts";
import { type Cluster, type KubeObject, openCluster } from "./cluster.ts";
import { claimsOf, excludeLabel, notMounted } from "./coverage.ts";
import { readOutline } from "./expected.ts";
import { isIncluded, policyLabel, settingsOf, type VeleroSettings } from "./settings.ts";

export const sourceInventory: SourceInventory = { address, misses, look };

/** Made by the cluster itself, and in a new one there before anything is restored. Their volumes count all the same. */
const ownNamespaces = new Set(["kube-system", "kube-public", "kube-node-lease"]);
/** In every namespace, and in none the reason to keep it. */
const ownObjects = new Set(["kube-root-ca.crt", "kubernetes"]);

function address({ connection }: Policy): string {
  const { kubeconfig, context } = connection;
  return `cluster ${kubeconfig ?? ""} ${context ?? ""}`.trim();
}

function misses(policy: Policy, { kind, name, detail }: SourceItem): string | undefined {
  const settings = settingsOf(policy);
  if (kind === "volume") return detail;
  const [namespace = ""] = name.split("/");
  if (!isIncluded(settings, namespace)) return "capture.options.includedNamespaces leaves its namespace out";
  if (kind === "claim" && !settings.persistentVolumes) return "capture.options.persistentVolumes is off";
  return detail;
}

async function look(context: EngineContext): Promise<SourceLook> {
  const cluster = await openCluster(context, context.signal);
  const settings = settingsOf(context.policy);
  const namespaces = (await cluster.list("/api/v1/namespaces")).filter(
    (n) => n.status?.["phase"] !== "Terminating",
  );
  const everything = { ...settings, includedNamespaces: ["*"], persistentVolumes: true };
  const { claims } = await readOutline(cluster, everything);
  const unseen: string[] = [];
  const pods = (await listOrSay(cluster, ["/api/v1/pods"], unseen)).filter(
    (p) => p.status?.["phase"] === "Running",
  );
  const others = await listOrSay(cluster, inUse, unseen);
  const volumes = await listOrSay(cluster, ["/api/v1/persistentvolumes"], unseen);
  const objects = [...claims, ...pods, ...others];
  const used = new Set(
    objects.filter((o) => !ownObjects.has(o.metadata.name)).map((o) => o.metadata.namespace ?? ""),
  );
  const drills = new Set(
    namespaces.filter((n) => n.metadata.labels?.[policyLabel] !== undefined).map((n) => n.metadata.name),
  );
  const identity = await identityOf(cluster);
  return {
    server: identity === "" ? address(context.policy) : identity,
    items: [
      ...namespaces.map((n) => namespaceItem(n.metadata.name, settings, drills, used)),
      ...claims.map((c) => claimItem(c, pods, drills)),
      ...volumes.flatMap(volumeItem),
    ],
    unseen,
  };
}

/**
 * Objects beside pods and claims that show that a namespace is in use. Secrets are not among them: whoever may list
 * them reads them, and a look needs no more than to know that something is there.
 */
const inUse = [
  "/api/v1/configmaps",
  "/api/v1/services",
  "/apis/apps/v1/deployments",
  "/apis/apps/v1/statefulsets",
  "/apis/batch/v1/cronjobs",
];

/** What may not be listed is said and not taken for nothing. */
async function listOrSay(
  cluster: Cluster,
  paths: readonly string[],
  unseen: string[],
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for (const path of paths) {
    try {
      found.push(...(await cluster.list(path)));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
      unseen.push(`${path.split("/").at(-1)}: ${error.message}`);
    }
  }
  return found;
}

function namespaceItem(
  name: string,
  settings: VeleroSettings,
  drills: ReadonlySet<string>,
  used: ReadonlySet<string>,
): SourceItem {
  const setAside = ownNamespaces.has(name)
    ? "made by the cluster itself"
    : name === settings.namespace
      ? "Velero's own, there before anything is restored"
      : drills.has(name)
        ? "a drill's, gone with it"
        : used.has(name)
          ? undefined
          : "it holds nothing but what every namespace has";
  return { kind: "namespace", name, ...(setAside === undefined ? {} : { setAside }) };
}

function claimItem(claim: KubeObject, pods: readonly KubeObject[], drills: ReadonlySet<string>): SourceItem {
  const { name, namespace = "", labels } = claim.metadata;
  const isMounted = pods.some((p) => p.metadata.namespace === namespace && claimsOf(p).has(name));
  const detail =
    labels?.[excludeLabel] === "true"
      ? `its label ${excludeLabel} leaves it out`
      : isMounted
        ? undefined
        : notMounted;
  return {
    kind: "claim",
    name: `${namespace}/${name}`,
    ...(detail === undefined ? {} : { detail }),
    ...(drills.has(namespace) ? { setAside: "a drill's, gone with it" } : {}),
  };
}

/** A volume behind a claim is told by the claim; one that nobody has used yet holds nothing. */
function volumeItem(volume: KubeObject): readonly SourceItem[] {
  const phase = String(volume.status?.["phase"] ?? "");
  if (phase !== "Released" && phase !== "Failed") return [];
  const detail = `it is ${phase} and no claim leads to it, so no pod and no backup reads it`;
  return [{ kind: "volume", name: volume.metadata.name, detail }];
}
