/** What the builders need to know beside a job. */
import type { Job } from "../../../state/job.ts";

export interface ObjectSettings {
  readonly namespace: string;
  /** Of runs that are kept apart; the other one's name with `-drills` behind it when not given. */
  readonly drillNamespace?: string;
  readonly image: string;
  /** Secret whose keys become environment variables of the runs; named in policies as `env`. */
  readonly environmentSecret: string;
  /** Secret with the age identities; mounted only where something is decrypted. */
  readonly identitySecret: string;
  /** What stands before a job's own arguments; empty takes the image's entry point. */
  readonly command: readonly string[];
  /** What stands after them. */
  readonly extraArgs: readonly string[];
}

export const usualSettings: ObjectSettings = {
  namespace: "holdfast",
  image: "ghcr.io/holdfast/holdfast:0.1.0",
  environmentSecret: "holdfast-environment",
  identitySecret: "holdfast-identity",
  command: [],
  // Not the volume's own folder: that one belongs to the kubelet, and closing it to others would be refused.
  extraArgs: ["--bundle", "/etc/holdfast/policies/bundle", "--state", "/var/lib/holdfast/state", "--quiet"],
};

export const policiesConfigMap = "holdfast-policies";
export const stateConfigMap = "holdfast-state";
export const reconcilerName = "holdfast-reconciler";
export const runnerName = "holdfast-run";

/** Of runs that are kept apart: it may do nothing either, and is not the same. */
export const drillerName = "holdfast-drill";

export function drillNamespace(settings: Pick<ObjectSettings, "namespace" | "drillNamespace">): string {
  return settings.drillNamespace ?? `${settings.namespace}-drills`;
}

/** Where the job's object and its runs are. */
export function namespaceOf(job: Job, settings: ObjectSettings): string {
  return job.apart === undefined ? settings.namespace : drillNamespace(settings);
}

/** Service account of a job's account; of the many runs that have none, one that may do nothing. */
export function serviceAccountName({ account, apart }: Pick<Job, "account" | "apart">): string {
  if (account !== undefined) return `holdfast-${account}`;
  return apart === undefined ? runnerName : drillerName;
}
