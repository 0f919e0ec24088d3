/**
 * Everything a cluster needs before the first policy: namespace, accounts, rights, network policy and the
 * reconciler. `holdfast install` prints these and `deploy/kubernetes` holds the same ones.
 */
import { ourLabels } from "./names.ts";
import { restrictedContainer, restrictedPod } from "./pod.ts";
import {
  type ObjectSettings,
  policiesConfigMap,
  reconcilerName,
  runnerName,
  stateConfigMap,
} from "./settings.ts";
import type { KubeObject } from "./shapes.ts";

export interface InstallSettings extends ObjectSettings {
  /** Repository of the policies; no credentials in it. */
  readonly repositoryUrl: string;
}

/** Of the two reconcilers, the one that holds it works. */
export const leaseName = "holdfast-reconciler";
const statusPort = 9808;

/** In an order in which each can be created. */
export function installObjects(settings: InstallSettings): readonly KubeObject[] {
  const { namespace } = settings;
  const account = (name: string): KubeObject => ({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace, labels: ourLabels },
    // A run talks to stores and sources; only the reconciler talks to the API server.
    automountServiceAccountToken: name === reconcilerName,
  });
  return [
    namespaceObject(namespace),
    account(reconcilerName),
    account(runnerName),
    role(namespace),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: reconcilerName, namespace, labels: ourLabels },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: reconcilerName },
      subjects: [{ kind: "ServiceAccount", name: reconcilerName, namespace }],
    },
    networkPolicy(namespace),
    reconciler(settings),
  ];
}

function namespaceObject(name: string): KubeObject {
  const level = "pod-security.kubernetes.io";
  const labels = { ...ourLabels, [`${level}/enforce`]: "restricted", [`${level}/warn`]: "restricted" };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** Each verb is one the platform uses; secrets, pods' insides and other namespaces are not among them. */
export const reconcilerRules = [
  {
    apiGroups: ["batch"],
    resources: ["cronjobs"],
    verbs: ["get", "list", "watch", "create", "patch", "update", "delete"],
  },
  { apiGroups: ["batch"], resources: ["jobs"], verbs: ["list", "watch", "create", "delete"] },
  {
    apiGroups: ["apps"],
    resources: ["deployments"],
    verbs: ["get", "list", "watch", "create", "patch", "update", "delete"],
  },
  { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] },
  // Whoever may create cannot be held to a name; changing is held to ours.
  { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
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

function role(namespace: string): KubeObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: reconcilerName, namespace, labels: ourLabels },
    rules: reconcilerRules,
  };
}

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
              ],
              envFrom: [{ secretRef: { name: environmentSecret, optional: true } }],
              ports: [{ name: "status", containerPort: statusPort, protocol: "TCP" }],
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
