/** Looks at what the cluster holds that a backup has to hold. */
import type { Cluster, KubeObject } from "./cluster.ts";
import type { Expected } from "./coverage.ts";
import { isIncluded, type VeleroSettings } from "./settings.ts";

export async function readExpected(cluster: Cluster, settings: VeleroSettings): Promise<Expected> {
  const namespaces = (await cluster.list("/api/v1/namespaces"))
    .filter((n) => n.status?.["phase"] !== "Terminating")
    .map((n) => n.metadata.name);
  const included = (objects: readonly KubeObject[]): readonly KubeObject[] =>
    objects.filter((o) => isIncluded(settings, o.metadata.namespace ?? ""));
  const claims = settings.persistentVolumes
    ? included(await cluster.list("/api/v1/persistentvolumeclaims")).filter(
        (c) => c.status?.["phase"] === "Bound",
      )
    : [];
  const pods =
    claims.length === 0
      ? []
      : included(await cluster.list("/api/v1/pods")).filter((p) => p.status?.["phase"] === "Running");
  const data = [];
  for (const resource of ["secrets", "configmaps"]) {
    for (const object of included(await cluster.list(`/api/v1/${resource}`))) data.push({ resource, object });
  }
  return { namespaces, claims, pods, data };
}
