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
import { type HolderKind, Holders, holderKinds, jobOf, pathOf } from "./holders.ts";
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
import { type ObjectSettings, policiesConfigMap, stateConfigMap } from "./objects/settings.ts";
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
  const waiters = new Set<(run: Run) => void>();
  const told = new Set<string>();
  let isStarted = false;
  const stopping = new AbortController();

  const mirror = <T extends KubeObject>(
    kind: HolderKind | "Job" | "Pod",
    onChange?: (object: KubeObject) => void,
  ) =>
    new Mirror<T>({
      client,
      clock,
      log,
      path: pathOf(kind, namespace),
      selector: kind === "Pod" || kind === "Job" ? `${ourSelector},${jobLabel}` : ourSelector,
      slim: kind === "Pod" || kind === "Job" ? withoutSpec : sameObject,
      ...(onChange === undefined
        ? {}
        : { onChange: (object, change) => change === "put" && onChange(object) }),
    });
  const holderMirrors = { CronJob: mirror("CronJob"), Deployment: mirror("Deployment") };
  const jobs = mirror<KubeJob>("Job", (object) => void tell(object as KubeJob));
  const pods = mirror<KubePod>("Pod");
  const mirrors = [...Object.values(holderMirrors), jobs, pods];
  const holders = new Holders(client, settings, holderMirrors);

  /** Each end is told once, to those that wait for it. */
  async function tell(ended: KubeJob): Promise<void> {
    const uid = ended.metadata.uid ?? "";
    if (!isFinished(ended) || told.has(uid)) return;
    told.add(uid);
    if (!isStarted) return;
    const name = ended.metadata.labels?.[jobLabel] ?? "";
    const slotAt = slotOf(ended);
    const holder = await holderMirrors.CronJob.get(name);
    const job = holder === undefined ? removedJobs.get(name) : jobOf(holder);
    if (job === undefined || slotAt === undefined) return;
    const giveUpAtMs = clock.nowMs() + podLagMs;
    let pod = podOf(ended, await pods.objects());
    while (terminatedOf(pod) === undefined && clock.nowMs() < giveUpAtMs && !stopping.signal.aborted) {
      await clock.wait(podLookMs, stopping.signal).catch(() => undefined);
      pod = podOf(ended, await pods.objects());
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
  const policies = new GuardedConfigMap(client, namespace, policiesConfigMap);
  let published: string | undefined;
  const publish = async (revision: string): Promise<void> => {
    if (options.bundle === undefined || published === revision) return;
    const bytes = await options.bundle();
    if (bytes === undefined) return;
    await policies.write({ binaryData: { bundle: Buffer.from(bytes).toString("base64") } });
    published = revision;
  };

  return {
    name: "kubernetes",
    observe: async () => {
      refresh();
      // Looked at first: what is written for this observation must not undo what came after it.
      if (options.bundle !== undefined) await policies.look("version");
      const applied = (await state.look("content")) as { data?: { revision?: string } } | undefined;
      const held: ActualJob[] = [];
      const [allJobs, allPods] = [await jobs.objects(), await pods.objects()];
      for (const object of await holders.observe()) {
        const job = jobOf(object);
        if (job === undefined) continue;
        const { name, annotations, creationTimestamp } = object.metadata;
        const revision = annotations?.[revisionAnnotation] ?? "";
        const drift = driftOf(jobObject(job, revision, settings), object);
        const runs = runsOf(job, name, allJobs, allPods);
        const available = (object as { status?: { readyReplicas?: number } }).status?.readyReplicas ?? 0;
        held.push({
          job,
          revision,
          ours: drift.length === 0,
          ...(drift.length === 0 ? {} : { drift: drift.map(describeDrift) }),
          running: object.kind === "Deployment" ? available > 0 : runs.some((r) => r.outcome === "running"),
          runs,
          since: instant(Date.parse(creationTimestamp ?? "1970-01-01T00:00:00Z")),
        });
      }
      held.sort((a, b) => (a.job.key < b.job.key ? -1 : 1));
      return { revision: applied?.data?.revision ?? "", jobs: held };
    },
    putJob: async (job, revision) => {
      await publish(revision);
      await holders.put(job, revision);
    },
    removeJob: async (key) => {
      for (const kind of holderKinds) {
        const known = await holderMirrors[kind].get(objectName(key));
        const job = known === undefined ? undefined : jobOf(known);
        if (job !== undefined) removedJobs.set(objectName(key), job);
        await holders.remove(kind, key);
      }
    },
    startRun: async (key, slotAt) => {
      refresh();
      const owner = await holderMirrors.CronJob.get(objectName(key));
      const job = owner === undefined ? undefined : jobOf(owner);
      if (owner === undefined || job === undefined)
        throw new HoldfastError("usage", `there is no job '${key}'`);
      const known = await jobs.objects();
      const same = known.find((j) => j.metadata.name === runName(key, slotAt));
      if (same !== undefined) {
        const run = runOf(job, same, slotAt, podOf(same, await pods.objects()));
        if (run.outcome !== "lost") return "already";
        await removeLost(client, namespace, same);
        jobs.remove(same);
      }
      const group = labelValue(job.group);
      if (known.some((j) => j.metadata.labels?.[groupLabel] === group && !isFinished(j))) return "busy";
      try {
        // The name is the slot's: whoever comes second, the CronJob controller included, gets a 409.
        const made = await client.request<KubeJob>("POST", pathOf("Job", namespace), {
          query: { fieldManager: fieldOwner },
          body: runObject(job, slotAt, owner, settings),
        });
        jobs.put(made);
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

/** @throws platform-failed when it cannot be removed as it was seen */
async function removeLost(client: KubeClient, namespace: string, job: KubeJob): Promise<void> {
  const { name, uid, resourceVersion } = job.metadata;
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
  const { name, uid, resourceVersion, labels, annotations, creationTimestamp, deletionTimestamp } =
    object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
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
