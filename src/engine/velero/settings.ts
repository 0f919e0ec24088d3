/** What a policy of this component says, as values with types; and how our objects are named. Pure. */
import type { Policy } from "../../policy/model.ts";
import { parseDuration } from "../../time/duration.ts";

export const policyLabel = "holdfast.dev/policy";
/** Whether a capture or a drill has made an object: each clears away only what its own kind has left. */
export const partLabel = "holdfast.dev/part";
export type Part = "capture" | "drill";

const defaultTtlMs = 30 * 86_400_000;
const longestPolicyInName = 24;

export interface VeleroSettings {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Velero's own. */
  readonly namespace: string;
  readonly includedNamespaces: readonly string[];
  /** Everything in them has to be in each point. */
  readonly productionNamespaces: readonly string[];
  readonly persistentVolumes: boolean;
  readonly includedResources: readonly string[];
  readonly includeClusterResources: boolean;
  /** As Go writes durations. */
  readonly ttl: string;
  /** The cluster's own storage location, whose provider and settings ours take over where it is there. */
  readonly storageLocation: string;
  /** A schedule of Velero's that the policy replaces. */
  readonly schedule: string;
}

export function settingsOf({ connection, capture: { options } }: Policy): VeleroSettings {
  const included = textsOf(options["includedNamespaces"]);
  const resources = textsOf(options["includedResources"]);
  const kubeconfig = textOf(connection["kubeconfig"]);
  const context = textOf(connection["context"]);
  return {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    namespace: textOf(connection["namespace"]) ?? "velero",
    includedNamespaces: included.length === 0 ? ["*"] : included,
    productionNamespaces: textsOf(options["productionNamespaces"]),
    persistentVolumes: options["persistentVolumes"] !== false,
    includedResources: resources.length === 0 ? ["*"] : resources,
    includeClusterResources: options["includeClusterResources"] !== false,
    ttl: `${Math.ceil(ttlMs(options["ttl"]) / 1000)}s`,
    storageLocation: textOf(options["storageLocation"]) ?? "default",
    schedule: textOf(options["schedule"]) ?? "holdfast",
  };
}

/** Namespaces whose every volume and object must be there: the production ones, or those named, or none by name. */
export function strictNamespaces(settings: VeleroSettings): readonly string[] {
  if (settings.productionNamespaces.length > 0) return settings.productionNamespaces;
  return settings.includedNamespaces.filter((name) => name !== "*");
}

/** True where the policy takes the namespace. */
export function isIncluded(settings: VeleroSettings, namespace: string): boolean {
  return settings.includedNamespaces.includes("*") || settings.includedNamespaces.includes(namespace);
}

/** Velero's name of the point's backup. */
export function backupName(policy: Policy, id: string): string {
  return `${policy.name.slice(0, longestPolicyInName)}-${id.toLowerCase()}`;
}

function ttlMs(value: unknown): number {
  return typeof value === "number" ? value : (parseDuration(String(value ?? "")) ?? defaultTtlMs);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
