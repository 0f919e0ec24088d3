/**
 * A restore by Velero into namespaces made for the purpose, whose pods reach nothing where the cluster's network
 * keeps to policies; compared with the inventory, asked, and taken away again.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, Restored, RestoreRequest, RunningServer } from "../engine.ts";
import { askCluster } from "./ask.ts";
import { fetchObject } from "./bucket.ts";
import { canaryName, canaryNamespace } from "./canary.ts";
import { inventoryArtifact, placeArtifact, untilEnded } from "./capture.ts";
import { type Cluster, type KubeObject, openCluster } from "./cluster.ts";
import { type InventoryLine, inventoryLines, isData, lineOf } from "./inventory.ts";
import { clearAway, openLocation, phaseOf } from "./location.ts";
import {
  type BucketPlace,
  corePath,
  drillNamespace,
  labelsOf,
  type Made,
  requireBucket,
  restoreObject,
  rightsOf,
  veleroApi,
  veleroPath,
} from "./objects.ts";
import { artifactOf } from "./restore.ts";
import { settingsOf, strictNamespaces } from "./settings.ts";

/** A drill that was made so long ago is no longer under way. */
const staleMs = 6 * 3_600_000;
const longestName = 63;
/** Made anew by the cluster itself, or different in each. */
const passing =
  /^(events|endpoints|endpointslices\.discovery\.k8s\.io|pods|replicasets\.apps|controllerrevisions\.apps|leases\.coordination\.k8s\.io|ingresses\.networking\.k8s\.io|.*\.velero\.io)/;

export async function start(
  context: EngineContext,
  restored: Restored,
  request: RestoreRequest,
): Promise<RunningServer> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a drill needs a recovery point");
  const { manifest, source } = member;
  const { policy } = context;
  const settings = settingsOf(policy);
  const { namespace } = settings;
  const cluster = await openCluster(context, context.signal);
  const atMs = context.clock.nowMs();
  await clearAway(context, "drill", (o) => Date.parse(o.metadata.creationTimestamp ?? "") < atMs - staleMs);
  const token = Math.floor(atMs).toString(36);
  const name = `drill-${token}-${String(manifest.engine["backup"])}`.slice(0, longestName);
  const made: Made = { name, namespace, policy: policy.name, part: "drill" };
  const inventory = await inventoryLines(join(restored.directory, inventoryArtifact));
  const mapping = mappingOf(inventory, strictNamespaces(settings), namespace, token);
  const backup = String(manifest.engine["backup"]);
  // Velero writes its log of the restore beside the backup, so it gets the rights of a run that writes.
  const writer = requireBucket(await context.store("write"));
  const place = {
    ...requireBucket(await source.place(artifactOf(manifest, placeArtifact))),
    ...rightsOf(writer),
  };
  const own = (o: KubeObject): boolean => [name, backup, ...Object.values(mapping)].includes(o.metadata.name);
  const stop = (): Promise<void> => clearAway(context, "drill", own);
  try {
    await openLocation(context, cluster, made, place);
    await makeKnown(context, cluster, made, place, backup);
    for (const target of Object.values(mapping)) {
      const [space, policyOfNetwork] = drillNamespace(target, policy.name);
      await cluster.create("/api/v1/namespaces", space);
      await cluster.create(
        `/apis/networking.k8s.io/v1/namespaces/${target}/networkpolicies`,
        policyOfNetwork,
      );
    }
    context.step(`Velero restores ${Object.keys(mapping).length} namespaces under other names`);
    await cluster.create(veleroPath(namespace, "restores"), restoreObject(made, backup, mapping));
    const ended = await untilEnded(context, cluster, veleroPath(namespace, "restores", name));
    if (phaseOf(ended) !== "Completed") throw await refusal(context, place, ended);
    await requireEqual(cluster, inventory, mapping);
    return {
      connection: { namespaces: mapping },
      reached: { restore: phaseOf(ended), namespaces: String(Object.keys(mapping).length) },
      ask: (statement, database) => askCluster(cluster, mapping, statement, database),
      lastCanaryAt: () => canaryAt(cluster, mapping[canaryNamespace(settings)]),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where each namespace of the point goes; the system's own and Velero's stay out. */
function mappingOf(
  inventory: readonly InventoryLine[],
  strict: readonly string[],
  velero: string,
  token: string,
): Readonly<Record<string, string>> {
  const held = [...new Set(inventory.map((l) => l.namespace))].filter((n) => n !== "");
  const chosen =
    strict.length > 0
      ? held.filter((n) => strict.includes(n))
      : held.filter((n) => !n.startsWith("kube-") && n !== velero);
  return Object.fromEntries(chosen.map((n) => [n, `drill-${token}-${n}`.slice(0, longestName)]));
}

/** The backup as an object of the cluster, out of what Velero itself stored beside it, and the copies of volumes. */
async function makeKnown(
  context: EngineContext,
  cluster: Cluster,
  made: Made,
  place: BucketPlace,
  backup: string,
): Promise<void> {
  const read = async (file: string): Promise<Buffer> => {
    const path = join(context.workDirectory, file);
    await fetchObject(place, `backups/${backup}/${file}`, path, context.signal);
    return readFile(path);
  };
  const stored = JSON.parse((await read("velero-backup.json")).toString("utf8")) as KubeObject;
  const { hooks: _, ...spec } = stored.spec ?? {};
  const labels = {
    ...labelsOf(made.policy, "drill"),
    "velero.io/storage-location": made.name,
  };
  const known = await cluster.create(veleroPath(made.namespace, "backups"), {
    ...stored,
    metadata: {
      name: backup,
      namespace: made.namespace,
      labels,
      ...(stored.metadata.annotations === undefined ? {} : { annotations: stored.metadata.annotations }),
    },
    spec: { ...spec, storageLocation: made.name },
  });
  const copies = JSON.parse(gunzipSync(await read(`${backup}-podvolumebackups.json.gz`)).toString("utf8")) as
    | readonly KubeObject[]
    | null;
  for (const copy of copies ?? []) {
    const uid = String(known.metadata["uid"]);
    // Velero stores the list without saying of each what it is.
    await cluster.create(veleroPath(made.namespace, "podvolumebackups"), {
      ...copy,
      apiVersion: veleroApi,
      kind: "PodVolumeBackup",
      metadata: {
        name: copy.metadata.name,
        namespace: made.namespace,
        labels: { ...copy.metadata.labels, "velero.io/backup-uid": uid },
        ...(copy.metadata.annotations === undefined ? {} : { annotations: copy.metadata.annotations }),
        ownerReferences: [{ apiVersion: veleroApi, kind: "Backup", name: backup, uid, controller: true }],
      },
      spec: { ...copy.spec, backupStorageLocation: made.name },
    });
  }
}

async function refusal(
  context: EngineContext,
  place: BucketPlace,
  ended: KubeObject,
): Promise<HoldfastError> {
  const { name } = ended.metadata;
  const path = join(context.workDirectory, "restore-results.gz");
  const said = await fetchObject(place, `restores/${name}/restore-${name}-results.gz`, path, context.signal)
    .then(async () => gunzipSync(await readFile(path)).toString("utf8"))
    .catch(() => JSON.stringify(ended.status?.["validationErrors"] ?? ended.status?.["failureReason"] ?? ""));
  return new HoldfastError(
    "tool-failed",
    `Velero's restore ended as ${phaseOf(ended)}: ${said.slice(0, 1500)}`,
  );
}

/** Every object of the drilled namespaces is there, and data are the same. @throws data-damaged naming what is not */
async function requireEqual(
  cluster: Cluster,
  inventory: readonly InventoryLine[],
  mapping: Readonly<Record<string, string>>,
): Promise<void> {
  const wrong: string[] = [];
  const wanted = inventory.filter((l) => mapping[l.namespace] !== undefined && !passing.test(l.resource));
  for (const [namespace, target] of Object.entries(mapping)) {
    const here = wanted.filter((l) => l.namespace === namespace);
    for (const resource of new Set(here.map((l) => l.resource))) {
      const lines = here.filter((l) => l.resource === resource);
      const plural = resource.split(".")[0] ?? resource;
      const { apiVersion = "v1" } = lines[0] ?? {};
      const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const found = await cluster.list(`${root}/namespaces/${target}/${plural}`);
      const there = new Map(found.map((o) => [o.metadata.name, o]));
      for (const line of lines) {
        const object = there.get(line.name);
        const isSame =
          object !== undefined &&
          (!isData(resource) || isMade(object) || lineOf(resource, object).sha256 === line.sha256);
        if (!isSame)
          wrong.push(
            `${resource}/${line.name} of ${namespace} ${object === undefined ? "is missing" : "has other data"}`,
          );
      }
    }
  }
  if (wrong.length === 0) return;
  throw new HoldfastError(
    "data-damaged",
    `${wrong.length} of ${wanted.length} objects did not come back: ${wrong.slice(0, 5).join("; ")}`,
  );
}

/** What each namespace and account gets from the cluster itself. */
function isMade(object: KubeObject): boolean {
  return (
    object["type"] === "kubernetes.io/service-account-token" || object.metadata.name === "kube-root-ca.crt"
  );
}

async function canaryAt(cluster: Cluster, namespace: string | undefined): Promise<Instant | undefined> {
  if (namespace === undefined) return undefined;
  const found = await cluster.get(corePath(namespace, "configmaps", canaryName));
  const ms = Date.parse(String((found?.["data"] as Record<string, string> | undefined)?.["at"] ?? ""));
  return Number.isNaN(ms) ? undefined : instant(ms);
}
