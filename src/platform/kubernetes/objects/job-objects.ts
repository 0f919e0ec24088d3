/**
 * A job as the object that holds it: a CronJob, or a Deployment where it is resident. A job that is only run
 * on demand is a suspended CronJob, which is what `kubectl create job --from` works with too.
 */
import type { Instant } from "../../../catalogue/instant.ts";
import type { Job } from "../../../state/job.ts";
import {
  groupLabel,
  jobAnnotation,
  jobLabel,
  labelValue,
  objectName,
  ourLabels,
  policyLabel,
  revisionAnnotation,
  runName,
  slotAnnotation,
} from "./names.ts";
import { runPod } from "./pod.ts";
import { namespaceOf, type ObjectSettings } from "./settings.ts";
import type { KubeObject } from "./shapes.ts";

/** Kinds whose verbs take `--slot`. */
const slotted = new Set<Job["kind"]>(["capture", "verify", "prune", "report"]);
/** Runs the cluster remembers; older ones are known to the catalogue. */
const runsKept = 5;
/** A run that could not begin for so long is left to the next slot, or to the reconciler's own catching up. */
const startWithinSeconds = 3600;
const finishedKeptSeconds = 7 * 86_400;
/** A whole year away, and suspended all the same. */
const never = "0 0 1 1 *";

/** The desired object of a job, without a namespace-wide secret in sight. */
export function jobObject(job: Job, revision: string, settings: ObjectSettings): KubeObject {
  return job.schedule.kind === "resident"
    ? residentDeployment(job, revision, settings)
    : cronJob(job, revision, settings);
}

function metadata(job: Job, revision: string, settings: ObjectSettings): KubeObject["metadata"] {
  return {
    name: objectName(job.key),
    namespace: namespaceOf(job, settings),
    labels: labelsOf(job),
    annotations: { [jobAnnotation]: JSON.stringify(job), [revisionAnnotation]: revision },
  };
}

function labelsOf(job: Job): Readonly<Record<string, string>> {
  return {
    ...ourLabels,
    "app.kubernetes.io/name": "holdfast",
    [jobLabel]: objectName(job.key),
    [policyLabel]: labelValue(job.policy),
    [groupLabel]: labelValue(job.group),
  };
}

function cronJob(job: Job, revision: string, settings: ObjectSettings): KubeObject {
  const { schedule } = job;
  const args = [...job.argv, ...settings.extraArgs];
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: metadata(job, revision, settings),
    spec: {
      schedule: schedule.kind === "cron" ? schedule.cron : never,
      timeZone: schedule.kind === "cron" ? schedule.timeZone : "Etc/UTC",
      concurrencyPolicy: "Forbid",
      suspend: schedule.kind !== "cron" || job.suspended,
      startingDeadlineSeconds: startWithinSeconds,
      successfulJobsHistoryLimit: runsKept,
      failedJobsHistoryLimit: runsKept,
      jobTemplate: {
        metadata: { labels: labelsOf(job) },
        spec: jobSpec(job, slotted.has(job.kind) ? [...args, "--slot", "$(HOLDFAST_RUN)"] : args, settings),
      },
    },
  };
}

function jobSpec(
  job: Job,
  args: readonly string[],
  settings: ObjectSettings,
): Readonly<Record<string, unknown>> {
  const pod = runPod(job, args, settings, "Never");
  const [container] = pod["containers"] as readonly [{ env: readonly object[] }];
  // The name of the run carries its nominal slot, also when the controller is late.
  const runOf = {
    name: "HOLDFAST_RUN",
    valueFrom: {
      fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels['batch.kubernetes.io/job-name']" },
    },
  };
  return {
    // A run that failed is not begun again by the cluster: the reconciler knows its exit status and decides.
    backoffLimit: 0,
    activeDeadlineSeconds: Math.max(1, Math.ceil(job.deadlineMs / 1000)),
    ttlSecondsAfterFinished: finishedKeptSeconds,
    podReplacementPolicy: "Failed",
    template: {
      metadata: { labels: labelsOf(job) },
      spec: { ...pod, containers: [{ ...container, env: [runOf, ...container.env] }] },
    },
  };
}

/** One run for one slot, owned by its CronJob so that the history limits hold for it too. */
export function runObject(
  job: Job,
  slotAt: Instant,
  owner: KubeObject,
  settings: ObjectSettings,
): KubeObject {
  const args = [...job.argv, ...settings.extraArgs];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: runName(job.key, slotAt),
      namespace: namespaceOf(job, settings),
      labels: labelsOf(job),
      annotations: { [slotAnnotation]: slotAt },
      ownerReferences: [
        {
          apiVersion: owner.apiVersion,
          kind: owner.kind,
          name: owner.metadata.name,
          uid: owner.metadata.uid ?? "",
          controller: true,
        },
      ],
    },
    spec: jobSpec(job, slotted.has(job.kind) ? [...args, "--slot", slotAt] : args, settings),
  };
}

function residentDeployment(job: Job, revision: string, settings: ObjectSettings): KubeObject {
  const selector = { [jobLabel]: objectName(job.key) };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(job, revision, settings),
    spec: {
      replicas: job.suspended ? 0 : 1,
      revisionHistoryLimit: 2,
      // Two receivers of one log would fight over it.
      strategy: { type: "Recreate" },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: labelsOf(job) },
        spec: runPod(job, [...job.argv, ...settings.extraArgs], settings, "Always"),
      },
    },
  };
}
