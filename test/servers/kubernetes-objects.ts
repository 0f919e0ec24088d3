/** What tests do to a cluster as an administrator would with kubectl. */
import type { KubeClient } from "../../src/platform/kubernetes/client.ts";
import type { KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";

const groups: Readonly<Record<string, string>> = { v1: "/api/v1" };

export function collectionPath(object: KubeObject): string {
  const root = groups[object.apiVersion] ?? `/apis/${object.apiVersion}`;
  const { namespace } = object.metadata;
  const plural = object.kind === "NetworkPolicy" ? "networkpolicies" : `${object.kind.toLowerCase()}s`;
  return `${root}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}`;
}

/** Server-side apply of each object, in order, as `kubectl apply --server-side` would. */
export async function applyAll(
  client: KubeClient,
  objects: readonly KubeObject[],
  isWanted: (object: KubeObject) => boolean = () => true,
): Promise<void> {
  for (const object of objects.filter(isWanted)) {
    await client.request("PATCH", `${collectionPath(object)}/${object.metadata.name}`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "kubectl", force: "true" },
      body: object,
    });
  }
}

/** A token of a service account, as the API server gives it to a pod. */
export async function tokenOf(client: KubeClient, namespace: string, name: string): Promise<string> {
  const answer = await client.request<{ status: { token: string } }>(
    "POST",
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } },
  );
  return answer.status.token;
}
