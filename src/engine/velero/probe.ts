/** Looks at the cluster and at Velero in it; changes nothing but Velero's own handshake. */
import { HoldfastError } from "../../errors.ts";
import type { Drift, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { identityOf } from "./capture.ts";
import { type Cluster, type KubeObject, openCluster } from "./cluster.ts";
import { driftOf, type Found, locationSetting, scheduleSetting, sharedDrift, sorted } from "./drift.ts";
import { readOutline } from "./expected.ts";
import { heldDrift, heldObject, heldScheduleOf } from "./held-schedule.ts";
import { requireBucket, veleroApi, veleroPath } from "./objects.ts";
import { askVelero } from "./presence.ts";
import { settingsOf } from "./settings.ts";

/** Never throws for a cluster that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  const settings = settingsOf(policy);
  const { namespace, storageLocation } = settings;
  return factsFrom(context, async () => {
    const bucket = requireBucket(await context.store("read")).bucket;
    const cluster = await openCluster(context, context.signal);
    const version = await cluster.versionText();
    const velero = await askVelero(context, cluster);
    const expected = await readOutline(cluster, settings);
    const agent = await cluster.get(`/apis/apps/v1/namespaces/${namespace}/daemonsets/node-agent`);
    const count = (name: string): number => Number(agent?.status?.[name] ?? 0);
    return {
      version,
      identity: await identityOf(cluster),
      tools: { velero },
      drift: await compare(context, cluster, {
        namespaces: expected.namespaces,
        location: await cluster.get(veleroPath(namespace, "backupstoragelocations", storageLocation)),
        bucket,
        schedules: await cluster.list(veleroPath(namespace, "schedules")),
        claims: expected.claims.length,
        nodeAgents: { wanted: count("desiredNumberScheduled"), ready: count("numberReady") },
      }),
    };
  });
}

async function compare(context: EngineContext, cluster: Cluster, found: Found): Promise<readonly Drift[]> {
  const settings = settingsOf(context.policy);
  const held = heldScheduleOf(context.policy);
  if (held === undefined) return driftOf(settings, found);
  const label = `velero.io/schedule-name=${held.name}`;
  const newest = (await cluster.list(veleroPath(settings.namespace, "backups"), label)).reduce<
    KubeObject | undefined
  >((a, b) => (createdAt(a) > createdAt(b) ? a : b), undefined);
  const own = heldDrift(held, {
    schedule: found.schedules.find((s) => s.metadata.name === held.name),
    location: found.location,
    newest,
    nowMs: context.clock.nowMs(),
  });
  return sorted([...sharedDrift(settings, found), ...own]);
}

function createdAt(object: KubeObject | undefined): string {
  return object?.metadata.creationTimestamp ?? "";
}

/** @throws guard-refused for a setting that is not ours to change */
export async function mend(context: EngineContext, setting: string): Promise<void> {
  const { namespace, storageLocation, schedule } = settingsOf(context.policy);
  const cluster = await openCluster(context, context.signal);
  // An apply of the one field: who owns the others keeps them.
  if (setting === locationSetting) {
    const { bucket } = requireBucket(await context.store("read"));
    return cluster.apply(
      {
        apiVersion: veleroApi,
        kind: "BackupStorageLocation",
        metadata: { name: storageLocation, namespace },
        spec: { objectStorage: { bucket } },
      },
      true,
    );
  }
  const held = heldScheduleOf(context.policy);
  if (held !== undefined && (setting === scheduleSetting || setting.startsWith(`${scheduleSetting}.`)))
    return cluster.apply(heldObject(held, namespace), true);
  if (setting === scheduleSetting) {
    return cluster.apply(
      {
        apiVersion: veleroApi,
        kind: "Schedule",
        metadata: { name: schedule, namespace },
        spec: { paused: true },
      },
      true,
    );
  }
  throw new HoldfastError("guard-refused", `'${setting}' is not a setting that Holdfast changes by itself`);
}
