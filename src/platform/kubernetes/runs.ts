/** A run as its Job and its pod tell it. Pure. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { Job, Run } from "../../state/job.ts";
import { jobLabel, slotAnnotation, slotOfRunName } from "./objects/names.ts";
import type { KubeJob, KubePod } from "./objects/shapes.ts";

const podJobLabel = "batch.kubernetes.io/job-name";

export function isFinished(job: KubeJob): boolean {
  return job.status?.conditions?.some((c) => isEnd(c.type) && c.status === "True") ?? false;
}

function isEnd(type: string): boolean {
  return type === "Complete" || type === "Failed";
}

export function slotOf(job: KubeJob): Instant | undefined {
  return (
    (job.metadata.annotations?.[slotAnnotation] as Instant | undefined) ?? slotOfRunName(job.metadata.name)
  );
}

/** Newest first, at most 50; Jobs that somebody has made under a name of no slot are left out. */
export function runsOf(
  job: Job,
  name: string,
  jobs: readonly KubeJob[],
  pods: readonly KubePod[],
): readonly Run[] {
  return jobs
    .filter((j) => j.metadata.labels?.[jobLabel] === name)
    .flatMap((j) => {
      const slotAt = slotOf(j);
      return slotAt === undefined ? [] : [runOf(job, j, slotAt, podOf(j, pods))];
    })
    .sort((a, b) => (a.slotAt < b.slotAt ? 1 : -1))
    .slice(0, 50);
}

export function podOf(job: KubeJob, pods: readonly KubePod[]): KubePod | undefined {
  return pods.find((p) => p.metadata.labels?.[podJobLabel] === job.metadata.name);
}

export function terminatedOf(pod: KubePod | undefined) {
  return pod?.status?.containerStatuses?.find((c) => c.name === "holdfast")?.state?.terminated;
}

export function runOf(job: Job, kubeJob: KubeJob, slotAt: Instant, pod: KubePod | undefined): Run {
  const { status, metadata } = kubeJob;
  const end = status?.conditions?.find((c) => isEnd(c.type) && c.status === "True");
  const startedAt = asInstant(status?.startTime ?? metadata.creationTimestamp);
  const known = { key: job.key, policy: job.policy, kind: job.kind, slotAt, startedAt };
  if (end === undefined) return { ...known, outcome: "running" };
  const finishedAt = asInstant(status?.completionTime ?? end.lastTransitionTime);
  const terminated = terminatedOf(pod);
  const facts = factsOf(terminated?.message);
  if (end.type === "Complete") {
    return { ...known, finishedAt, outcome: "succeeded", exitStatus: terminated?.exitCode ?? 0, ...facts };
  }
  const isLate = end.reason === "DeadlineExceeded";
  const exitStatus = terminated?.exitCode;
  return {
    ...known,
    finishedAt,
    // Without an exit status nobody knows how it went: its node is gone, or its pod was deleted.
    outcome: exitStatus === undefined && !isLate ? "lost" : "failed",
    ...(exitStatus === undefined ? {} : { exitStatus }),
    message: isLate ? "ended at its deadline" : (end.message ?? end.reason ?? ""),
    ...facts,
  };
}

/** What the run has written about itself, as far as it is what a run may say. */
function factsOf(message: string | undefined): Partial<Run> {
  if (message === undefined || message === "") return {};
  try {
    const said = JSON.parse(message) as Partial<Run>;
    const { point, sizeBytes, filesCount, code } = said;
    return {
      ...(point === undefined ? {} : { point }),
      ...(typeof sizeBytes === "number" ? { sizeBytes } : {}),
      ...(typeof filesCount === "number" ? { filesCount } : {}),
      ...(code === undefined ? {} : { code }),
      ...(typeof said.message === "string" ? { message: said.message } : {}),
    };
  } catch {
    return {};
  }
}

function asInstant(time: string | undefined): Instant {
  return instant(time === undefined ? 0 : Date.parse(time));
}
