/** Looks at what the cluster holds that a backup has to hold. */
import type { Cluster, KubeObject } from "./cluster.ts";
import type { Expected } from "./coverage.ts";
import { isIncluded, type VeleroSettings } from "./settings.ts";

export async function readExpected(cluster: Cluster, settings: VeleroSettings): Promise<Expected> {
  const { namespaces, claims } = await readOutline(cluster, settings);
  const pods =
    claims.length === 0
      ? []
      : included(settings, await cluster.list("/api/v1/pods")).filter(
          (p) => p.status?.["phase"] === "Running",
        );
  const data = [];
  for (const resource of ["secrets", "configmaps"]) {
    const found = included(settings, await cluster.list(`/api/v1/${resource}`));
    for (const object of found) data.push({ resource, object });
  }
  return { namespaces, claims, pods, data };
}

/** What can be seen without reading a Secret: namespaces, and claims with a volume behind them. */
export async function readOutline(
  cluster: Cluster,
  settings: VeleroSettings,
): Promise<Pick<Expected, "namespaces" | "claims">> {
  const namespaces = (await cluster.list("/api/v1/namespaces"))
    .filter((n) => n.status?.["phase"] !== "Terminating")
    .map((n) => n.metadata.name);
  if (!settings.persistentVolumes) return { namespaces, claims: [] };
  const claims = included(settings, await cluster.list("/api/v1/persistentvolumeclaims"));
  return { namespaces, claims: claims.filter((c) => c.status?.["phase"] === "Bound") };
}

function included(settings: VeleroSettings, objects: readonly KubeObject[]): readonly KubeObject[] {
  return objects.filter((o) => isIncluded(settings, o.metadata.namespace ?? ""));
}
