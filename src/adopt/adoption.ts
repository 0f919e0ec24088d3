/** What comes of an adoption: files to be written, and everything a person has to know. */
import type { Finding } from "../finding.ts";

export interface AdoptedPolicy {
  readonly policy: string;
  /** Such as `Schedule velero/daily`. */
  readonly from: string;
  /** `recovered`: Holdfast's own, as it was; `held`: runs on as it does; `proposed`: would be made anew. */
  readonly kind: "recovered" | "held" | "proposed";
  readonly findings: readonly string[];
  /** What goes on running beside it, and how a person ends that. */
  readonly stillRuns?: { readonly what: string; readonly suspend: string };
}

/** Something that looks like a backup and became no policy. */
export interface NotAdopted {
  readonly what: string;
  readonly reason: string;
}

/** What Holdfast's own jobs in the cluster are to the policies that were recovered. */
export interface OwnJobs {
  readonly namespace: string;
  readonly revision: string;
  readonly image: string;
  readonly logLevel: string;
  readonly count: number;
  /** One line for each job that a plan would change, create or remove. */
  readonly differing: readonly string[];
}

export interface AdoptedFile {
  /** Below the folder. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface Adoption {
  readonly files: readonly AdoptedFile[];
  readonly policies: readonly AdoptedPolicy[];
  readonly notAdopted: readonly NotAdopted[];
  readonly own?: OwnJobs;
  /** Of lint, on everything that is in the folder afterwards. */
  readonly lint: readonly Finding[];
}
