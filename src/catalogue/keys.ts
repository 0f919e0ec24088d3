/** Object keys below a policy's prefix. Exact keys only: nothing is ever found or deleted by a name's beginning. */
import type { PointId } from "./manifest.ts";

export const keys = {
  identity: (prefix: string) => `${prefix}holdfast.json`,
  manifests: (prefix: string) => `${prefix}manifests/`,
  manifest: (prefix: string, id: PointId) => `${prefix}manifests/${id}.json`,
  data: (prefix: string) => `${prefix}data/`,
  /** Part `index` counts from 0. */
  object: (prefix: string, id: PointId, runId: string, artifact: string, index: number) =>
    `${prefix}data/${id}/${runId}/${artifact}.${String(index).padStart(6, "0")}`,
  /** Where a tool writes artifact `artifact` by itself. */
  place: (prefix: string, id: PointId, runId: string, artifact: string) =>
    `${prefix}data/${id}/${runId}/${artifact}/`,
  verdicts: (prefix: string) => `${prefix}verdicts/`,
  verdict: (prefix: string, id: PointId, compactAt: string) => `${prefix}verdicts/${id}/${compactAt}.json`,
  keyProofs: (prefix: string) => `${prefix}key-proofs/`,
  keyProof: (prefix: string, recipient: string) => `${prefix}key-proofs/${recipient}.json`,
  tombstones: (prefix: string) => `${prefix}tombstones/`,
  tombstone: (prefix: string, id: PointId) => `${prefix}tombstones/${id}.json`,
  holds: (prefix: string) => `${prefix}holds/`,
  hold: (prefix: string, id: PointId) => `${prefix}holds/${id}.json`,
  locks: (prefix: string) => `${prefix}locks/`,
  lock: (prefix: string, name: string) => `${prefix}locks/${name}.json`,
  log: (prefix: string) => `${prefix}log/`,
  /** One folder per branch keeps a listing inside what is asked for. */
  segment: (prefix: string, branch: string, name: string) => `${prefix}log/${branch}/${name}`,
  history: (prefix: string, branch: string) => `${prefix}log/${branch}.history`,
} as const;
