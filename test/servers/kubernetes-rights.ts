/** What an account may do: by the rules it was granted, and by the API server's own word. */
import type { KubeClient } from "../../src/platform/kubernetes/client.ts";
import type { ClusterRight } from "../../src/state/cluster-account.ts";

export interface Question {
  readonly namespace: string;
  readonly group: string;
  /** With its subresource after a slash. */
  readonly kind: string;
  readonly verb: string;
  readonly name: string | undefined;
}

export const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/** Everything that is asked for, by group: what the accounts use, what lies beside it, and what would be harm. */
export const resources: Readonly<Record<string, readonly string[]>> = {
  "": [
    ...["pods", "pods/exec", "pods/log", "secrets", "configmaps", "serviceaccounts", "serviceaccounts/token"],
    ...["services", "persistentvolumeclaims", "persistentvolumes", "events", "namespaces", "nodes"],
  ],
  apps: ["deployments", "daemonsets", "statefulsets"],
  batch: ["cronjobs", "jobs"],
  "coordination.k8s.io": ["leases"],
  "rbac.authorization.k8s.io": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
  "networking.k8s.io": ["networkpolicies"],
  "velero.io": [
    ...["backups", "restores", "schedules", "backupstoragelocations", "backuprepositories"],
    ...["podvolumebackups", "podvolumerestores", "serverstatusrequests", "deletebackuprequests"],
    "downloadrequests",
  ],
};

/** Of every object of the kind; and where rules name some of it, of each of those and of one that none names. */
export function namesToAsk(rights: readonly ClusterRight[], kind: string): readonly (string | undefined)[] {
  const named = rights.filter((r) => r.resources.includes(kind)).flatMap((r) => r.resourceNames ?? []);
  return named.length === 0 ? [undefined] : [undefined, ...new Set(named), "any-other"];
}

export function isGranted(rights: readonly ClusterRight[], question: Question): boolean {
  const { namespace, group, kind, verb, name } = question;
  const has = (list: readonly string[], value: string): boolean => list.includes(value) || list.includes("*");
  return rights.some(
    (right) =>
      (right.namespace === undefined || right.namespace === namespace) &&
      has(right.apiGroups, group) &&
      has(right.resources, kind) &&
      has(right.verbs, verb) &&
      (right.resourceNames === undefined || right.resourceNames.includes(name ?? "")),
  );
}

export async function mayDo(client: KubeClient, question: Question): Promise<boolean> {
  const { kind, name, ...rest } = question;
  const [resource, subresource] = kind.split("/");
  const resourceAttributes = {
    ...rest,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  };
  const answer = await client.request<{ status: { allowed: boolean } }>(
    "POST",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    {
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes },
      },
    },
  );
  return answer.status.allowed;
}
