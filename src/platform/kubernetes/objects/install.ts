/**
 * Everything a cluster needs before the first policy: namespace, accounts, rights, network policy and the
 * reconciler. `holdfast install` prints these and `deploy/kubernetes` holds the same ones.
 */
import type { ClusterAccount, ClusterRight } from "../../../state/cluster-account.ts";
import { drillNetworkPolicy, type StoreEndpoint } from "./drill-network.ts";
import { ourLabels } from "./names.ts";
import { restrictedContainer, restrictedPod } from "./pod.ts";
import {
  drillerName,
  drillNamespace,
  type ObjectSettings,
  policiesConfigMap,
  reconcilerName,
  runnerName,
  serviceAccountName,
  stateConfigMap,
} from "./settings.ts";
import type { KubeObject } from "./shapes.ts";

export interface InstallSettings extends ObjectSettings {
  /** Repository of the policies; no credentials in it. */
  readonly repositoryUrl: string;
  /** What runs of some components, and the reconciler's look at their sources, may do in the cluster. */
  readonly accounts?: readonly ClusterAccount[];
  /** What drills may reach; AWS and whatever else is public and speaks HTTPS when not given. */
  readonly stores?: readonly StoreEndpoint[];
}

/** Of the two reconcilers, the one that holds it works. */
export const leaseName = "holdfast-reconciler";
const statusPort = 9808;

/** In an order in which each can be created. */
export function installObjects(settings: InstallSettings): readonly KubeObject[] {
  const { namespace } = settings;
  const drills = drillNamespace(settings);
  return [
    namespaceObject(namespace),
    namespaceObject(drills),
    // A run talks to stores and sources; the reconciler alone, and what has an account for it, to the API server.
    serviceAccount(namespace, reconcilerName, true),
    serviceAccount(namespace, runnerName, false),
    serviceAccount(drills, drillerName, false),
    ...reconcilerRole(namespace, namespace, reconcilerRules),
    ...reconcilerRole(namespace, drills, drillRules),
    ...accountObjects(namespace, settings.accounts ?? []),
    networkPolicy(namespace),
    drillNetworkPolicy(drills, settings.stores),
    reconciler(settings),
  ];
}

function serviceAccount(namespace: string, name: string, hasToken: boolean): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace, labels: ourLabels },
    automountServiceAccountToken: hasToken,
  };
}

function reconcilerRole(own: string, place: string, rules: readonly object[]): readonly KubeObject[] {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name: reconcilerName, namespace: place, labels: ourLabels };
  return [
    { apiVersion, kind: "Role", metadata, rules },
    {
      apiVersion,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: reconcilerName },
      subjects: [{ kind: "ServiceAccount", name: reconcilerName, namespace: own }],
    },
  ];
}

/** Accounts of one name are one; rights in other namespaces need these to be there. */
function accountObjects(namespace: string, accounts: readonly ClusterAccount[]): readonly KubeObject[] {
  const names = [...new Set(accounts.map((a) => a.name))];
  return names.flatMap((name) => {
    const account = name === undefined ? reconcilerName : serviceAccountName({ account: name });
    const rights = unique(accounts.filter((a) => a.name === name).flatMap((a) => a.rights));
    const places = [...new Set(rights.map((r) => r.namespace))];
    return [
      ...(name === undefined ? [] : [serviceAccount(namespace, account, true)]),
      ...places.flatMap((place) =>
        grant(
          namespace,
          account,
          place,
          rights.filter((r) => r.namespace === place),
        ),
      ),
    ];
  });
}

function unique(rights: readonly ClusterRight[]): readonly ClusterRight[] {
  return [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()];
}

/** Role and binding in `place`, or for the whole cluster; named so that two installations keep out of each other's way. */
function grant(
  namespace: string,
  account: string,
  place: string | undefined,
  rights: readonly ClusterRight[],
): readonly KubeObject[] {
  const metadata = {
    name: `${namespace}:${account}`,
    ...(place === undefined ? {} : { namespace: place }),
    labels: ourLabels,
  };
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const kind = place === undefined ? "ClusterRole" : "Role";
  return [
    { apiVersion, kind, metadata, rules: rights.map(({ namespace: _, ...rule }) => rule) },
    {
      apiVersion,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: metadata.name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace }],
    },
  ];
}

function namespaceObject(name: string): KubeObject {
  const level = "pod-security.kubernetes.io";
  const labels = { ...ourLabels, [`${level}/enforce`]: "restricted", [`${level}/warn`]: "restricted" };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

const holding = [
  {
    apiGroups: ["batch"],
    resources: ["cronjobs"],
    verbs: ["get", "list", "watch", "create", "patch", "update", "delete"],
  },
  { apiGroups: ["batch"], resources: ["jobs"], verbs: ["list", "watch", "create", "delete"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] },
  // Whoever may create cannot be held to a name; changing is held to ours.
  { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
] as const;

/** Each verb is one the platform uses; secrets, pods' insides and other namespaces are not among them. */
export const reconcilerRules = [
  ...holding,
  {
    apiGroups: ["apps"],
    resources: ["deployments"],
    verbs: ["get", "list", "watch", "create", "patch", "update", "delete"],
  },
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: [policiesConfigMap, stateConfigMap],
    verbs: ["get", "update"],
  },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: [leaseName],
    verbs: ["get", "update"],
  },
] as const;

/** Where drills are there is neither a resident nor a lease. */
export const drillRules = [
  ...holding,
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: [policiesConfigMap],
    verbs: ["get", "update"],
  },
] as const;

/** Nobody comes in but for the reconciler's metrics; runs go out to sources and stores, which have any address. */
function networkPolicy(namespace: string): KubeObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "holdfast", namespace, labels: ourLabels },
    spec: {
      podSelector: { matchLabels: ourLabels },
      policyTypes: ["Ingress"],
      ingress: [{ ports: [{ protocol: "TCP", port: statusPort }] }],
    },
  };
}

function reconciler(settings: InstallSettings): KubeObject {
  const { namespace, image, environmentSecret, repositoryUrl, command } = settings;
  const selector = { "app.kubernetes.io/component": "reconciler" };
  const labels = { ...ourLabels, "app.kubernetes.io/name": "holdfast", ...selector };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: reconcilerName, namespace, labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: reconcilerName,
          enableServiceLinks: false,
          securityContext: restrictedPod,
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: "reconciler",
              image,
              imagePullPolicy: "IfNotPresent",
              ...(command.length === 0 ? {} : { command }),
              args: [
                ...["run", "--repository", repositoryUrl, "--state", "/var/lib/holdfast/state"],
                ...["--listen", `0.0.0.0:${statusPort}`, "--platform", "kubernetes"],
              ],
              env: [
                { name: "HOME", value: "/tmp" },
                { name: "HOLDFAST_IMAGE", value: image },
                {
                  name: "POD_NAME",
                  valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } },
                },
                {
                  name: "HOLDFAST_NAMESPACE",
                  valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
                },
                { name: "HOLDFAST_DRILL_NAMESPACE", value: drillNamespace(settings) },
              ],
              envFrom: [{ secretRef: { name: environmentSecret, optional: true } }],
              ports: [{ name: "status", containerPort: statusPort, protocol: "TCP" }],
              readinessProbe: {
                httpGet: { path: "/readyz", port: "status" },
                periodSeconds: 5,
                failureThreshold: 2,
              },
              livenessProbe: {
                httpGet: { path: "/healthz", port: "status" },
                periodSeconds: 30,
                failureThreshold: 5,
              },
              resources: {
                requests: { cpu: "50m", memory: "128Mi" },
                limits: { cpu: "1", memory: "512Mi" },
              },
              securityContext: restrictedContainer,
              volumeMounts: [
                { name: "state", mountPath: "/var/lib/holdfast" },
                { name: "tmp", mountPath: "/tmp" },
              ],
            },
          ],
          volumes: [
            { name: "state", emptyDir: {} },
            { name: "tmp", emptyDir: {} },
          ],
        },
      },
    },
  };
}
