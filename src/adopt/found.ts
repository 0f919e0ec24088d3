/** What was read of a cluster, as values: the input of `adopt`. Objects are as the API server gave them, of any shape. */
import type { PolicyFile } from "../policy/model.ts";
import type { Job } from "../state/job.ts";

/** An object nobody has checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** What Holdfast itself has put into one namespace. */
export interface OwnFound {
  readonly namespace: string;
  readonly jobs: readonly Job[];
  /** Objects with our label and no definition that can be read. */
  readonly unreadable: readonly string[];
  /** Images of the runs; more than one when an object was changed by hand. */
  readonly images: readonly string[];
  /** Level of the runs' log, as they were given it. */
  readonly logLevels: readonly string[];
  /** The policies the runs work with; undefined where the cluster does not have them. */
  readonly bundle?: { readonly revision: string; readonly files: readonly PolicyFile[] };
  /** Why there is no bundle. */
  readonly bundleFault?: string;
}

export interface ClusterFound {
  /** By namespace. */
  readonly own: readonly OwnFound[];
  /** CronJobs of everybody else. */
  readonly cronJobs: readonly Fields[];
  /** Velero's schedules, and its storage locations without those that captures have made. */
  readonly schedules: readonly Fields[];
  readonly locations: readonly Fields[];
  /** What could not be asked for. */
  readonly unread: readonly { readonly what: string; readonly why: string }[];
}
