/** What the policy needs of the cluster and of Velero, compared with what is there. Pure. */
import type { Drift } from "../../state/job.ts";
import type { KubeObject, ManagedField } from "./cluster.ts";
import { isIncluded, type VeleroSettings } from "./settings.ts";

export interface Found {
  readonly namespaces: readonly string[];
  /** Of the name the policy gives; undefined where there is none. */
  readonly location: KubeObject | undefined;
  readonly bucket: string;
  readonly schedules: readonly KubeObject[];
  readonly claims: number;
  readonly nodeAgents: { readonly wanted: number; readonly ready: number };
}

export const locationSetting = "velero.storageLocation";
export const scheduleSetting = "velero.schedule";

/** Worst first. */
export function sorted(drifts: readonly Drift[]): readonly Drift[] {
  return [...drifts].sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "critical" ? -1 : 1));
}

/** Worst first. Status, and whatever Velero's controllers write by themselves, is not looked at. */
export function driftOf(settings: VeleroSettings, found: Found): readonly Drift[] {
  return sorted([...sharedDrift(settings, found), ...replacedDrift(settings, found)]);
}

/** What matters whoever begins the backups. */
export function sharedDrift(settings: VeleroSettings, found: Found): readonly Drift[] {
  return [
    ...namespaceDrift(settings, found),
    ...agentDrift(settings, found),
    ...locationDrift(settings, found),
    ...scheduleDrift(found),
  ];
}

function namespaceDrift(settings: VeleroSettings, { namespaces }: Found): readonly Drift[] {
  return settings.productionNamespaces
    .filter((name) => !namespaces.includes(name) || !isIncluded(settings, name))
    .map((name) => ({
      setting: `namespace ${name}`,
      wanted: "there, and in the backup",
      found: namespaces.includes(name) ? "not in includedNamespaces" : "not there",
      consequence: "no point is made: a production namespace is missing",
      mend: `kubectl create namespace ${name}, or take it out of the policy`,
      mendable: false,
      severity: "critical",
    }));
}

function agentDrift(settings: VeleroSettings, { claims, nodeAgents }: Found): readonly Drift[] {
  if (!settings.persistentVolumes || claims === 0) return [];
  const { wanted, ready } = nodeAgents;
  if (wanted > 0 && ready >= wanted) return [];
  return [
    {
      setting: "velero.nodeAgent",
      wanted: wanted === 0 ? "on every node" : `${wanted} ready`,
      found: wanted === 0 ? "none" : `${ready} ready`,
      consequence: `${claims} volumes, and those on a node without an agent are in no backup`,
      mend: "velero install --use-node-agent; kubectl --namespace velero get daemonset node-agent",
      mendable: false,
      severity: "critical",
    },
  ];
}

function locationDrift(settings: VeleroSettings, { location, bucket }: Found): readonly Drift[] {
  if (location === undefined) return [];
  const { objectStorage } = (location.spec ?? {}) as { objectStorage?: { bucket?: string } };
  if (objectStorage?.bucket === bucket) return [];
  return [
    {
      setting: locationSetting,
      wanted: `bucket ${bucket}`,
      found: `bucket ${objectStorage?.bucket ?? "none"}${writerOf(location.metadata.managedFields ?? [])}`,
      consequence: `backups that others make in '${settings.storageLocation}' lie where no policy looks`,
      mend: `velero backup-location set ${settings.storageLocation} …`,
      mendable: true,
      severity: "warning",
    },
  ];
}

/** Velero writes `skipImmediately` into a schedule by itself; only `paused` is looked at. */
function replacedDrift(settings: VeleroSettings, { schedules }: Found): readonly Drift[] {
  const schedule = schedules.find((s) => s.metadata.name === settings.schedule);
  if (schedule === undefined || schedule.spec?.["paused"] === true) return [];
  return [
    {
      setting: scheduleSetting,
      wanted: "paused: the policy's own captures take its place",
      found: `unpaused${writerOf(schedule.metadata.managedFields ?? [])}`,
      consequence: "backups are made twice, and those of Velero's schedule are proved by nobody",
      mend: `velero schedule pause ${settings.schedule}`,
      mendable: true,
      severity: "warning",
    },
  ];
}

/** Schedules whose backups take over labels from a tool that deletes what is not in git. */
const trackers =
  /^(app\.kubernetes\.io\/instance|argocd\.argoproj\.io\/|kustomize\.toolkit\.fluxcd\.io\/|helm\.toolkit\.fluxcd\.io\/)/;

function scheduleDrift({ schedules }: Found): readonly Drift[] {
  return schedules.flatMap((schedule) => {
    const { template, useOwnerReferencesInBackup } = (schedule.spec ?? {}) as {
      template?: { metadata?: { labels?: Record<string, string> } };
      useOwnerReferencesInBackup?: boolean;
    };
    const tracked = Object.keys(schedule.metadata.labels ?? {}).some((key) => trackers.test(key));
    const owns = useOwnerReferencesInBackup === true;
    if (!owns && (!tracked || template?.metadata?.labels !== undefined)) return [];
    return [
      {
        setting: `velero.schedule ${schedule.metadata.name}`,
        wanted: owns ? "no owner references in backups" : "labels of its own in the template",
        found: `${owns ? "useOwnerReferencesInBackup" : "backups inherit the labels a tool tracks"}${writerOf(schedule.metadata.managedFields ?? [])}`,
        consequence: owns
          ? "its backups are deleted with it"
          : "the tool takes its backups for objects that are not in git, and prunes them",
        mend: `kubectl edit schedule.velero.io ${schedule.metadata.name}`,
        mendable: false,
        severity: "warning" as const,
      },
    ];
  });
}

/** Who wrote the spec last, as the API server has it. */
export function writerOf(fields: readonly ManagedField[]): string {
  const last = fields
    .filter((f) => f.fieldsV1?.["f:spec"] !== undefined && f.manager !== "velero-server")
    .sort((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1))[0];
  return last === undefined ? "" : `; changed by '${last.manager}' at ${last.time}`;
}
