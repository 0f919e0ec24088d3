/** The plan: a value that says what would be done and why. Computing it changes nothing. */
import type { Instant } from "../catalogue/instant.ts";
import type { PointId } from "../catalogue/manifest.ts";
import type { Job } from "./job.ts";

interface Reasoned {
  /** One sentence with the facts that lead to it. */
  readonly reason: string;
  readonly policy: string;
}

/** In the order they are carried out. */
export type Action =
  | (Reasoned & { readonly kind: "mark-store"; readonly store: string; readonly prefix: string })
  | (Reasoned & { readonly kind: "mend-source"; readonly setting: string; readonly wanted: string })
  | (Reasoned & { readonly kind: "create-job"; readonly job: Job })
  | (Reasoned & { readonly kind: "update-job"; readonly job: Job; readonly changed: readonly string[] })
  /** Only the job goes; no stored byte is touched. */
  | (Reasoned & { readonly kind: "remove-job"; readonly key: string })
  | (Reasoned & { readonly kind: "run-job"; readonly key: string; readonly slotAt: Instant })
  | (Reasoned & { readonly kind: "tombstone"; readonly point: PointId })
  | (Reasoned & { readonly kind: "delete-point"; readonly point: PointId })
  | (Reasoned & { readonly kind: "delete-log"; readonly keys: readonly string[] });

export type ActionKind = Action["kind"];

/** Something wanted that a guard does not allow. */
export interface Refusal {
  readonly policy: string;
  /** Short id, `last-proven`, `store-identity`, `incomplete-listing`, `share-cap`, … */
  readonly guard: string;
  readonly message: string;
  readonly hint: string;
}

/** A fact worth showing that leads to no action. */
export interface Note {
  readonly policy: string;
  readonly severity: "info" | "warning" | "critical";
  readonly message: string;
}

export interface Plan {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "Plan";
  readonly revision: string;
  /** SHA-256 of the observed state this plan was made from; `apply` refuses when it no longer matches. */
  readonly fingerprint: string;
  readonly madeAt: Instant;
  readonly actions: readonly Action[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}
