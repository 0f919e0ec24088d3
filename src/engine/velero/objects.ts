/** The objects we make in a cluster. Pure: no client in sight. */
import type { ToolPlace } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import type { KubeObject } from "./cluster.ts";
import { type Part, partLabel, policyLabel, type VeleroSettings } from "./settings.ts";

export const veleroApi = "velero.io/v1";
const credentialKey = "cloud";

export type BucketPlace = Extract<ToolPlace, { kind: "s3" }>;

export function veleroPath(namespace: string, plural: string, name?: string): string {
  return `/apis/${veleroApi}/namespaces/${namespace}/${plural}${name === undefined ? "" : `/${name}`}`;
}

export function corePath(namespace: string, plural: string, name?: string): string {
  return `/api/v1/namespaces/${namespace}/${plural}${name === undefined ? "" : `/${name}`}`;
}

/** @throws policy-invalid for a store that is a folder */
export function requireBucket(place: ToolPlace): BucketPlace {
  if (place.kind === "s3") return place;
  throw new HoldfastError(
    "policy-invalid",
    "Velero writes to buckets only, and the policy's store is a folder",
    {
      hint: "name a store of type s3",
    },
  );
}

/** Whose rights, apart from where. */
export function rightsOf({ accessKeyId, secretAccessKey, sessionToken }: BucketPlace) {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** Our own labels alone, so that no tool that follows labels takes the objects for its own. */
export function labelsOf(policy: string, part: Part): Readonly<Record<string, string>> {
  return { [policyLabel]: policy, [partLabel]: part };
}

export interface Made {
  readonly name: string;
  readonly namespace: string;
  readonly policy: string;
  readonly part: Part;
}

export function credentialsObject({ name, namespace, policy, part }: Made, place: BucketPlace): KubeObject {
  const token = place.sessionToken === undefined ? [] : [`aws_session_token=${place.sessionToken}`];
  const lines = [
    "[default]",
    `aws_access_key_id=${place.accessKeyId}`,
    `aws_secret_access_key=${place.secretAccessKey}`,
    ...token,
    "",
  ];
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: labelsOf(policy, part) },
    type: "Opaque",
    stringData: { [credentialKey]: lines.join("\n") },
  };
}

/** A location of one point's own place. Nothing in it is synchronised into the cluster by Velero. */
export function locationObject(
  { name, namespace, policy, part }: Made,
  place: BucketPlace,
  cluster: {
    readonly provider?: string;
    readonly config?: Readonly<Record<string, string>>;
    readonly caCert?: string;
  },
): KubeObject {
  return {
    apiVersion: veleroApi,
    kind: "BackupStorageLocation",
    metadata: { name, namespace, labels: labelsOf(policy, part) },
    spec: {
      provider: cluster.provider ?? "aws",
      accessMode: part === "capture" ? "ReadWrite" : "ReadOnly",
      backupSyncPeriod: "0s",
      objectStorage: {
        bucket: place.bucket,
        prefix: place.keyPrefix.replace(/\/$/, ""),
        ...(cluster.caCert === undefined ? {} : { caCert: cluster.caCert }),
      },
      credential: { name, key: credentialKey },
      config: {
        region: place.region === "" ? "us-east-1" : place.region,
        ...(place.endpoint === "" ? {} : { s3Url: place.endpoint, checksumAlgorithm: "" }),
        ...(place.forcePathStyle ? { s3ForcePathStyle: "true" } : {}),
        ...cluster.config,
      },
    },
  };
}

export function backupObject(
  { name, namespace, policy, part }: Made,
  location: string,
  settings: VeleroSettings,
): KubeObject {
  return {
    apiVersion: veleroApi,
    kind: "Backup",
    metadata: { name, namespace, labels: labelsOf(policy, part) },
    spec: {
      storageLocation: location,
      includedNamespaces: settings.includedNamespaces,
      includedResources: settings.includedResources,
      ...(settings.includeClusterResources ? {} : { includeClusterResources: false }),
      ttl: settings.ttl,
      // Snapshots die with the storage they lie on; the bytes go through the node agent into the bucket.
      snapshotVolumes: false,
      defaultVolumesToFsBackup: settings.persistentVolumes,
    },
  };
}

/** A drill may bring nothing up that the whole cluster shares. */
const clusterWide = [
  "nodes",
  "events",
  "events.events.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "clusterrolebindings.rbac.authorization.k8s.io",
  "customresourcedefinitions.apiextensions.k8s.io",
  "storageclasses.storage.k8s.io",
  "priorityclasses.scheduling.k8s.io",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
  "ingresses.networking.k8s.io",
];

export function restoreObject(
  { name, namespace, policy, part }: Made,
  backup: string,
  mapping: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: veleroApi,
    kind: "Restore",
    metadata: { name, namespace, labels: labelsOf(policy, part) },
    spec: {
      backupName: backup,
      includedNamespaces: Object.keys(mapping),
      namespaceMapping: mapping,
      excludedResources: clusterWide,
    },
  };
}

/** A namespace of a drill. Its pods reach nothing where the cluster's network keeps to policies. */
export function drillNamespace(name: string, policy: string): readonly [KubeObject, KubeObject] {
  const labels = labelsOf(policy, "drill");
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "holdfast-drill", namespace: name, labels },
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    },
  ];
}
