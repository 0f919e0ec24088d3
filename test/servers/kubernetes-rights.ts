/** What an account may do: by the rules it was granted, and by the API server's own word. */
import { readFileSync } from "node:fs";
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
export interface Asked extends Question {
  readonly account: string;
  /** Of the answer. */
  readonly status: number;
}

/** What service accounts of `namespaces` have asked the API server for; questions about rights and versions aside. */
export function askedBy(auditLog: string, namespaces: readonly string[]): readonly Asked[] {
  return readFileSync(auditLog, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditEvent)
    .flatMap(({ user, verb, objectRef, responseStatus }): Asked[] => {
      const [, place = "", account = ""] = /^system:serviceaccount:([^:]+):(.+)$/.exec(user.username) ?? [];
      if (objectRef?.resource === undefined || !namespaces.includes(place)) return [];
      const { namespace = "", apiGroup: group = "", resource, subresource, name } = objectRef;
      const kind = subresource === undefined ? resource : `${resource}/${subresource}`;
      return [{ account, namespace, group, kind, verb, name, status: responseStatus?.code ?? 0 }];
    });
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly namespace?: string;
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** Rights by verb that none of `asked` has used, such as `velero.io/backups delete`. */
export function unused(rights: readonly ClusterRight[], asked: readonly Asked[]): readonly string[] {
  return rights.flatMap((right) =>
    right.resources.flatMap((resource) =>
      right.verbs
        .filter((verb) => {
          const one = { ...right, resources: [resource], verbs: [verb] };
          return !asked.some((a) => isGranted([one], a));
        })
        .map((verb) => `${right.apiGroups.filter((g) => g !== "").map((g) => `${g}/`)}${resource} ${verb}`),
    ),
  );
}

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
