/** What a backup should hold against what it holds. Pure: Velero's own "Completed" says nothing of it. */
import type { KubeObject } from "./cluster.ts";
import type { InventoryLine } from "./inventory.ts";
import { isIncluded, strictNamespaces, type VeleroSettings } from "./settings.ts";

export interface Expected {
  readonly namespaces: readonly string[];
  /** Claims with a volume behind them. */
  readonly claims: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  /** Secrets and config maps. */
  readonly data: readonly { readonly resource: string; readonly object: KubeObject }[];
}

export interface Gap {
  readonly what: string;
  readonly namespace: string;
  readonly reason: string;
}

export interface Coverage {
  readonly volumesExpected: number;
  readonly volumesCaptured: number;
  readonly volumeBytes: number;
  /** In namespaces whose every part has to be there: no point is made of a backup with one. */
  readonly missing: readonly Gap[];
  /** Elsewhere: named in the point and in its proof. */
  readonly uncovered: readonly Gap[];
}

export const excludeLabel = "velero.io/exclude-from-backup";
export const notMounted = "no running pod mounts it, and Velero reads volumes through pods";

export function coverageOf(
  settings: VeleroSettings,
  /** Looked at before the backup began; what has gone since counts as gone. */
  before: Expected,
  after: Expected,
  inventory: readonly InventoryLine[],
  volumeBackups: readonly KubeObject[],
): Coverage {
  const gaps: Gap[] = [];
  const namesIn = new Set(inventory.filter((l) => l.resource === "namespaces").map((l) => l.name));
  const wanted = new Set([
    ...strictNamespaces(settings),
    ...before.namespaces.filter((n) => isIncluded(settings, n) && after.namespaces.includes(n)),
  ]);
  for (const namespace of wanted) {
    if (namesIn.has(namespace) || inventory.some((l) => l.namespace === namespace)) continue;
    const isThere = after.namespaces.includes(namespace);
    const reason = isThere ? "the backup holds nothing of it" : "there is no such namespace";
    gaps.push({ what: "namespace", namespace, reason });
  }
  gaps.push(...dataGaps(settings, before, after, inventory));
  const volumes = volumeGaps(settings, before, after, volumeBackups);
  gaps.push(...volumes.gaps);
  const strict = new Set(strictNamespaces(settings));
  return {
    volumesExpected: volumes.expected,
    volumesCaptured: volumes.captured,
    volumeBytes: volumes.bytes,
    missing: gaps.filter((g) => strict.has(g.namespace)),
    uncovered: gaps.filter((g) => !strict.has(g.namespace)),
  };
}

function dataGaps(
  settings: VeleroSettings,
  before: Expected,
  after: Expected,
  inventory: readonly InventoryLine[],
): readonly Gap[] {
  const key = (resource: string, o: KubeObject): string =>
    `${resource}/${o.metadata.namespace}/${o.metadata.name}`;
  const held = new Set(inventory.map((l) => `${l.resource}/${l.namespace}/${l.name}`));
  const still = new Set(after.data.map((d) => key(d.resource, d.object)));
  return before.data
    .filter(({ resource, object }) => {
      const takes = settings.includedResources.includes("*") || settings.includedResources.includes(resource);
      const { namespace = "", labels } = object.metadata;
      if (!takes || !isIncluded(settings, namespace) || labels?.[excludeLabel] === "true") return false;
      return still.has(key(resource, object)) && !held.has(key(resource, object));
    })
    .map(({ resource, object }) => ({
      what: `${resource}/${object.metadata.name}`,
      namespace: object.metadata.namespace ?? "",
      reason: "there before and after, and not in the backup",
    }));
}

function volumeGaps(
  settings: VeleroSettings,
  before: Expected,
  after: Expected,
  volumeBackups: readonly KubeObject[],
): {
  readonly gaps: readonly Gap[];
  readonly expected: number;
  readonly captured: number;
  readonly bytes: number;
} {
  if (!settings.persistentVolumes) return { gaps: [], expected: 0, captured: 0, bytes: 0 };
  const still = new Set(after.claims.map(idOf));
  const claims = before.claims.filter(
    (c) =>
      isIncluded(settings, c.metadata.namespace ?? "") &&
      still.has(idOf(c)) &&
      c.metadata.labels?.[excludeLabel] !== "true",
  );
  const gaps: Gap[] = [];
  let captured = 0;
  let bytes = 0;
  for (const claim of claims) {
    const namespace = claim.metadata.namespace ?? "";
    const copies = volumeBackups.filter((b) => claimOf(b, before.pods) === idOf(claim));
    const good = copies.find((b) => b.status?.["phase"] === "Completed");
    if (good !== undefined) {
      captured += 1;
      bytes += Number((good.status?.["progress"] as { totalBytes?: number } | undefined)?.totalBytes ?? 0);
      continue;
    }
    const failed = copies[0];
    const mounted = before.pods.some(
      (p) => p.metadata.namespace === namespace && claimsOf(p).has(claim.metadata.name),
    );
    const reason =
      failed !== undefined
        ? `its copy is ${String(failed.status?.["phase"])}: ${String(failed.status?.["message"] ?? "no reason given")}`
        : mounted
          ? "Velero made no copy of it; does its node agent run on the pod's node?"
          : notMounted;
    gaps.push({ what: `volume of claim ${claim.metadata.name}`, namespace, reason });
  }
  return { gaps, expected: claims.length, captured, bytes };
}

function idOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

interface PodVolume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
}

function volumesOf(pod: KubeObject): readonly PodVolume[] {
  return (pod.spec?.["volumes"] as readonly PodVolume[] | undefined) ?? [];
}

/** Names of the claims a pod mounts. */
export function claimsOf(pod: KubeObject): ReadonlySet<string> {
  return new Set(volumesOf(pod).flatMap((v) => v.persistentVolumeClaim?.claimName ?? []));
}

/** The claim behind a copy of a pod's volume, as `namespace/name`. */
function claimOf(copy: KubeObject, pods: readonly KubeObject[]): string | undefined {
  const { pod, volume } = (copy.spec ?? {}) as {
    pod?: { namespace?: string; name?: string };
    volume?: string;
  };
  const claim = volumesOf(
    pods.find((p) => p.metadata.name === pod?.name && p.metadata.namespace === pod?.namespace) ?? {
      metadata: { name: "" },
    },
  ).find((v) => v.name === volume)?.persistentVolumeClaim?.claimName;
  return claim === undefined ? undefined : `${pod?.namespace}/${claim}`;
}

/** Some words a person can act on. */
export function gapText(gaps: readonly Gap[]): string {
  const shown = gaps.slice(0, 5).map((g) => `${g.namespace}: ${g.what} (${g.reason})`);
  return `${shown.join("; ")}${gaps.length > 5 ? `; and ${gaps.length - 5} more` : ""}`;
}
