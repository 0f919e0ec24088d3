/**
 * The platform of a cluster: a job is a CronJob or a Deployment, a run is a Job, and the cluster keeps time and
 * restarts. Nothing is remembered here that the API server does not hold; a reconciler may come and go.
 */
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { ActualJob, Run } from "../../state/job.ts";
import type { Clock } from "../../time/clock.ts";
import type { Platform } from "../platform.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import { GuardedConfigMap } from "./guarded-config-map.ts";
import { type HolderKind, type HolderPlace, Holders, jobOf, pathOf, typeOf } from "./holders.ts";
import { lead } from "./lease.ts";
import { Mirror } from "./mirror.ts";
import { describeDrift, driftOf } from "./objects/drift.ts";
import { jobObject, runObject } from "./objects/job-objects.ts";
import {
  fieldOwner,
  groupLabel,
  jobLabel,
  labelValue,
  objectName,
  ourSelector,
  revisionAnnotation,
  runName,
} from "./objects/names.ts";
import {
  drillNamespace,
  namespaceOf,
  type ObjectSettings,
  policiesConfigMap,
  stateConfigMap,
} from "./objects/settings.ts";
import type { KubeJob, KubeObject, KubePod } from "./objects/shapes.ts";
import { isFinished, podOf, runOf, runsOf, slotOf, terminatedOf } from "./runs.ts";

/** The kubelet tells of a pod's end before the controller tells of its Job's; a watch may turn them round. */
const podLagMs = 5_000;
const podLookMs = 200;

export interface KubernetesPlatformOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ObjectSettings;
  /** Tells this reconciler from every other: the pod's name. */
  readonly holder: string;
  /** The policies the runs work with, compressed; read at each write and published when it has changed. */
  readonly bundle?: () => Promise<Uint8Array | undefined>;
}

/** Nothing is watched before `start`; until then each observation lists. */
export function openKubernetesPlatform(options: KubernetesPlatformOptions): Platform {
  const { client, clock, log, settings } = options;
  const { namespace } = settings;
  const namespaces = [namespace, drillNamespace(settings)];
  const waiters = new Set<(run: Run) => void>();
  const told = new Set<string>();
  let isStarted = false;
  const stopping = new AbortController();

  const mirror = <T extends KubeObject>(
    kind: HolderKind | "Job" | "Pod",
    where: string,
    onChange?: (object: KubeObject) => void,
  ) =>
    new Mirror<T>({
      client,
      clock,
      log,
      type: typeOf(kind),
      path: pathOf(kind, where),
      selector: kind === "Pod" || kind === "Job" ? `${ourSelector},${jobLabel}` : ourSelector,
      slim: kind === "Pod" || kind === "Job" ? withoutSpec : sameObject,
      ...(onChange === undefined
        ? {}
        : { onChange: (object, change) => change === "put" && onChange(object) }),
    });
  const cronJobs = namespaces.map(
    (where): HolderPlace => ({ kind: "CronJob", namespace: where, mirror: mirror("CronJob", where) }),
  );
  const places: readonly HolderPlace[] = [
    ...cronJobs,
    { kind: "Deployment", namespace, mirror: mirror("Deployment", namespace) },
  ];
  const jobs = namespaces.map((where) =>
    mirror<KubeJob>("Job", where, (object) => void tell(object as KubeJob)),
  );
  const pods = namespaces.map((where) => mirror<KubePod>("Pod", where));
  const mirrors = [...places.map((p) => p.mirror), ...jobs, ...pods];
  const holders = new Holders(client, settings, places);

  const allOf = async <T extends KubeObject>(some: readonly Mirror<T>[]): Promise<readonly T[]> =>
    (await Promise.all(some.map((one) => one.objects()))).flat();
  const cronJobOf = async (name: string): Promise<KubeObject | undefined> =>
    (await allOf(cronJobs.map((p) => p.mirror))).find((o) => o.metadata.name === name);

  /** Each end is told once, to those that wait for it. */
  async function tell(ended: KubeJob): Promise<void> {
    const uid = ended.metadata.uid ?? "";
    if (!isFinished(ended) || told.has(uid)) return;
    told.add(uid);
    if (!isStarted) return;
    const name = ended.metadata.labels?.[jobLabel] ?? "";
    const slotAt = slotOf(ended);
    const holder = await cronJobOf(name);
    const job = holder === undefined ? removedJobs.get(name) : jobOf(holder);
    if (job === undefined || slotAt === undefined) return;
    const giveUpAtMs = clock.nowMs() + podLagMs;
    let pod = podOf(ended, await allOf(pods));
    while (terminatedOf(pod) === undefined && clock.nowMs() < giveUpAtMs && !stopping.signal.aborted) {
      await clock.wait(podLookMs, stopping.signal).catch(() => undefined);
      pod = podOf(ended, await allOf(pods));
    }
    const run = runOf(job, ended, slotAt, pod);
    for (const waiter of [...waiters]) waiter(run);
  }
  /** Jobs whose last run may still be under way. */
  const removedJobs = new Map<string, NonNullable<ReturnType<typeof jobOf>>>();

  const refresh = (): void => {
    for (const one of mirrors) one.forget();
  };

  const state = new GuardedConfigMap(client, namespace, stateConfigMap);
  // A pod mounts what is in its own namespace.
  const policies = namespaces.map((where) => new GuardedConfigMap(client, where, policiesConfigMap));
  let published: string | undefined;
  const publish = async (revision: string): Promise<void> => {
    if (options.bundle === undefined || published === revision) return;
    const bytes = await options.bundle();
    if (bytes === undefined) return;
    const content = { binaryData: { bundle: Buffer.from(bytes).toString("base64") } };
    for (const one of policies) await one.write(content);
    published = revision;
  };

  return {
    name: "kubernetes",
    observe: async () => {
      refresh();
      // Looked at first: what is written for this observation must not undo what came after it.
      if (options.bundle !== undefined) for (const one of policies) await one.look("version");
      const applied = (await state.look("content")) as { data?: { revision?: string } } | undefined;
      const [allJobs, allPods] = [await allOf(jobs), await allOf(pods)];
      const held: ActualJob[] = [];
      for (const same of Map.groupBy(await holders.observe(), (o) => jobOf(o)?.key ?? "").values())
        held.push(...actualJob(same, allJobs, allPods, settings));
      held.sort((a, b) => (a.job.key < b.job.key ? -1 : 1));
      return { revision: applied?.data?.revision ?? "", jobs: held };
    },
    putJob: async (job, revision) => {
      await publish(revision);
      await holders.put(job, revision);
    },
    removeJob: async (key) => {
      for (const place of places) {
        const known = await place.mirror.get(objectName(key));
        const job = known === undefined ? undefined : jobOf(known);
        if (job !== undefined) removedJobs.set(objectName(key), job);
        await holders.remove(place, key);
      }
    },
    startRun: async (key, slotAt) => {
      refresh();
      const owner = await cronJobOf(objectName(key));
      const job = owner === undefined ? undefined : jobOf(owner);
      if (owner === undefined || job === undefined)
        throw new HoldfastError("usage", `there is no job '${key}'`);
      const where = namespaceOf(job, settings);
      const mirrorOfJobs = jobs[namespaces.indexOf(where)];
      const known = await allOf(jobs);
      const same = known.find((j) => j.metadata.name === runName(key, slotAt));
      if (same !== undefined) {
        const run = runOf(job, same, slotAt, podOf(same, await allOf(pods)));
        if (run.outcome !== "lost") return "already";
        await removeLost(client, same);
        for (const one of jobs) one.remove(same);
      }
      const group = labelValue(job.group);
      if (known.some((j) => j.metadata.labels?.[groupLabel] === group && !isFinished(j))) return "busy";
      try {
        // The name is the slot's: whoever comes second, the CronJob controller included, gets a 409.
        const made = await client.request<KubeJob>("POST", pathOf("Job", where), {
          query: { fieldManager: fieldOwner },
          body: runObject(job, slotAt, owner, settings),
        });
        mirrorOfJobs?.put(made);
        return "started";
      } catch (error) {
        if (isRefusal(error, 409)) return "already";
        throw error;
      }
    },
    setRevision: async (revision) => {
      await publish(revision);
      await state.write({ data: { revision } });
    },
    nextRunEnd: (signal) =>
      new Promise<Run>((resolve, reject) => {
        const done = (run: Run): void => {
          signal.removeEventListener("abort", give);
          waiters.delete(done);
          resolve(run);
        };
        const give = (): void => {
          waiters.delete(done);
          reject(signal.reason);
        };
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        signal.addEventListener("abort", give, { once: true });
        waiters.add(done);
      }),
    foreignJob: async (path) => {
      const [where = "", name = ""] = path.split("/");
      try {
        const found = await client.request<{ spec?: { suspend?: boolean } }>(
          "GET",
          `${pathOf("CronJob", where)}/${name}`,
        );
        return found.spec?.suspend === true ? "suspended" : "runs";
      } catch (error) {
        if (isRefusal(error, 404)) return "gone";
        if (isRefusal(error, 403)) return "unknown";
        throw error;
      }
    },
    start: async () => {
      for (const one of mirrors) await one.objects();
      for (const one of mirrors) void one.follow(stopping.signal);
      isStarted = true;
    },
    lead: (signal) => lead({ client, clock, log, namespace, holder: options.holder }, signal),
    // The cluster's runs are the cluster's: a reconciler that goes takes none of them along.
    stop: async () => {
      stopping.abort();
      client.close();
    },
  };
}

/** The job as its objects hold it: one where it belongs, and none elsewhere, is as it should be. */
function actualJob(
  same: readonly KubeObject[],
  allJobs: readonly KubeJob[],
  allPods: readonly KubePod[],
  settings: ObjectSettings,
): readonly ActualJob[] {
  const known = same.flatMap((object) => {
    const job = jobOf(object);
    if (job === undefined) return [];
    const revision = object.metadata.annotations?.[revisionAnnotation] ?? "";
    const built = jobObject(job, revision, settings);
    const { kind, metadata } = built;
    const isPlaced = kind === object.kind && metadata.namespace === object.metadata.namespace;
    return [{ object, job, revision, built, isPlaced }];
  });
  const chosen = known.find((k) => k.isPlaced) ?? known[0];
  if (chosen === undefined) return [];
  const { object, job, revision, built } = chosen;
  const { name, creationTimestamp } = object.metadata;
  const drift = [
    ...(chosen.isPlaced ? driftOf(built, object).map(describeDrift) : []),
    ...known
      .filter((other) => other !== chosen || !other.isPlaced)
      .map(
        ({ object: { kind, metadata } }) => `there is a ${kind} of it in namespace '${metadata.namespace}'`,
      ),
  ];
  const runs = runsOf(job, name, allJobs, allPods);
  const available = (object as { status?: { readyReplicas?: number } }).status?.readyReplicas ?? 0;
  return [
    {
      job,
      revision,
      ours: drift.length === 0,
      ...(drift.length === 0 ? {} : { drift }),
      running: object.kind === "Deployment" ? available > 0 : runs.some((r) => r.outcome === "running"),
      runs,
      since: instant(Date.parse(creationTimestamp ?? "1970-01-01T00:00:00Z")),
    },
  ];
}

/** @throws platform-failed when it cannot be removed as it was seen */
async function removeLost(client: KubeClient, job: KubeJob): Promise<void> {
  const { name, namespace = "", uid, resourceVersion } = job.metadata;
  try {
    await client.request("DELETE", `${pathOf("Job", namespace)}/${name}`, {
      body: { preconditions: { uid, resourceVersion }, propagationPolicy: "Background" },
    });
  } catch (error) {
    if (!isRefusal(error, 404)) throw error;
  }
}

function sameObject(object: KubeObject): KubeObject {
  return object;
}

/** Of runs only what tells how they went is kept. */
function withoutSpec(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels, annotations, creationTimestamp, deletionTimestamp } =
    object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    status: object["status"],
  };
}
