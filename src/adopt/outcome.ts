/** What the adoption of one object works with, and what comes of it. */
import type { PolicySet } from "../policy/model.ts";
import type { AdoptedPolicy, NotAdopted } from "./adoption.ts";
import type { Names } from "./names.ts";
import type { Tables } from "./tables.ts";

export interface Shared {
  /** What the folder says already. */
  readonly known: PolicySet;
  readonly names: Names;
  readonly tables: Tables;
  readonly failureDomain: string;
  readonly nowMs: number;
}

export interface Made {
  readonly summary: AdoptedPolicy;
  readonly document: object;
}

export type Outcome = { readonly made: Made } | { readonly not: NotAdopted };
