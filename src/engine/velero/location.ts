/** Velero's way to one point's place, there for as long as it is used; and what runs that died have left. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { type Cluster, type KubeObject, openCluster } from "./cluster.ts";
import {
  type BucketPlace,
  corePath,
  credentialsObject,
  locationObject,
  type Made,
  veleroPath,
} from "./objects.ts";
import { type Part, partLabel, policyLabel, settingsOf } from "./settings.ts";

const lookEveryMs = 500;
const validationLimitMs = 60_000;
/** How long the end of Velero's own work is waited for before its objects are taken away under it. */
const settleLimitMs = 25_000;

/** Phases after which Velero does nothing more. */
const ended = /^(Completed|PartiallyFailed|Failed|FailedValidation)$/;

export function phaseOf(object: KubeObject | undefined): string {
  return String(object?.status?.["phase"] ?? "");
}

export function hasEnded(object: KubeObject | undefined): boolean {
  return ended.test(phaseOf(object));
}

/** Makes credentials and location; returns when Velero has looked at the bucket. @throws store-denied */
export async function openLocation(
  context: EngineContext,
  cluster: Cluster,
  made: Made,
  place: BucketPlace,
): Promise<void> {
  const { storageLocation } = settingsOf(context.policy);
  const known = await cluster.get(veleroPath(made.namespace, "backupstoragelocations", storageLocation));
  await cluster.create(corePath(made.namespace, "secrets"), credentialsObject(made, place));
  await cluster.create(
    veleroPath(made.namespace, "backupstoragelocations"),
    locationObject(made, place, takenOver(known, place)),
  );
  const giveUpAtMs = context.clock.nowMs() + validationLimitMs;
  context.step("Velero looks at the bucket");
  for (;;) {
    const found = await cluster.get(veleroPath(made.namespace, "backupstoragelocations", made.name));
    const phase = phaseOf(found);
    if (phase === "Available") return;
    const message = String(found?.status?.["message"] ?? "");
    if (phase === "Unavailable" && message !== "") {
      throw new HoldfastError("tool-failed", `Velero cannot use the bucket '${place.bucket}': ${message}`, {
        hint: "Velero reaches the store's endpoint from inside the cluster, with the store's write credentials",
      });
    }
    if (context.clock.nowMs() > giveUpAtMs) {
      throw new HoldfastError(
        "source-unreachable",
        `Velero has not looked at its storage location for ${validationLimitMs / 1000} s`,
        { hint: `does the deployment 'velero' run in namespace '${made.namespace}'?` },
      );
    }
    await context.clock.wait(lookEveryMs, context.signal);
  }
}

/** Of a location for the same bucket: how Velero reaches it from where it runs. */
function takenOver(known: KubeObject | undefined, place: BucketPlace) {
  const spec = known?.spec as
    | {
        provider?: string;
        config?: Record<string, string>;
        objectStorage?: { bucket?: string; caCert?: string };
      }
    | undefined;
  if (spec?.objectStorage?.bucket !== place.bucket) return {};
  const { caCert } = spec.objectStorage;
  return {
    ...(spec.provider === undefined ? {} : { provider: spec.provider }),
    ...(spec.config === undefined ? {} : { config: spec.config }),
    ...(caCert === undefined ? {} : { caCert }),
  };
}

/**
 * Takes away what captures or drills of this policy have made: the bucket keeps every byte, since Velero deletes
 * stored data on request only. Work under way is given a while to end.
 */
export async function clearAway(
  context: EngineContext,
  part: Part,
  isOurs: (object: KubeObject) => boolean = () => true,
): Promise<void> {
  const { policy } = context;
  const { namespace } = settingsOf(policy);
  // After an abort as well.
  const cluster = await openCluster(context);
  const labels = `${policyLabel}=${policy.name},${partLabel}=${part}`;
  const all = async (path: string): Promise<readonly KubeObject[]> =>
    (await cluster.list(path, labels)).filter(isOurs);
  for (const restore of await all(veleroPath(namespace, "restores"))) {
    await settled(cluster, veleroPath(namespace, "restores", restore.metadata.name));
    await cluster.remove(veleroPath(namespace, "restores", restore.metadata.name));
    // Velero takes its log of the restore out of the bucket; where it may not, the object goes all the same.
    if (!(await isGone(cluster, veleroPath(namespace, "restores", restore.metadata.name), 5000)))
      await cluster.release("restores.velero.io", namespace, restore.metadata.name);
  }
  for (const { metadata } of await all("/api/v1/namespaces")) {
    await cluster.remove(`/api/v1/namespaces/${metadata.name}`);
  }
  for (const backup of await all(veleroPath(namespace, "backups"))) {
    const path = veleroPath(namespace, "backups", backup.metadata.name);
    await settled(cluster, path);
    await cluster.remove(path);
    // The cluster would take them along by and by, and a drill that comes before needs their names.
    const labelled = `velero.io/backup-name=${backup.metadata.name}`;
    for (const { metadata } of await cluster.list(veleroPath(namespace, "podvolumebackups"), labelled)) {
      await cluster.remove(veleroPath(namespace, "podvolumebackups", metadata.name));
      if (!(await isGone(cluster, veleroPath(namespace, "podvolumebackups", metadata.name), 5000)))
        await cluster.release("podvolumebackups.velero.io", namespace, metadata.name);
    }
  }
  const locations = await all(veleroPath(namespace, "backupstoragelocations"));
  const names = new Set(locations.map((l) => l.metadata.name));
  for (const repository of await cluster.list(veleroPath(namespace, "backuprepositories"))) {
    if (names.has(String(repository.spec?.["backupStorageLocation"])))
      await cluster.remove(veleroPath(namespace, "backuprepositories", repository.metadata.name));
  }
  for (const name of names) await cluster.remove(veleroPath(namespace, "backupstoragelocations", name));
  for (const { metadata } of await all(corePath(namespace, "secrets")))
    await cluster.remove(corePath(namespace, "secrets", metadata.name));
}

async function settled(cluster: Cluster, path: string): Promise<void> {
  const giveUpAtMs = performance.now() + settleLimitMs;
  for (;;) {
    const found = await cluster.get(path);
    if (found === undefined || hasEnded(found) || performance.now() > giveUpAtMs) return;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

async function isGone(cluster: Cluster, path: string, limitMs: number): Promise<boolean> {
  const giveUpAtMs = performance.now() + limitMs;
  while ((await cluster.get(path)) !== undefined) {
    if (performance.now() > giveUpAtMs) return false;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  return true;
}
