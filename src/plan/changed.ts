/** Which fields of a job differ. */
import type { Job } from "../state/job.ts";

const compared = [
  "policy",
  "kind",
  "schedule",
  "argv",
  "deadlineMs",
  "suspended",
  "group",
  "account",
  "apart",
] as const;

/** Names of the fields that differ, in a fixed order; empty for equal jobs. */
export function changedFields(was: Job, is: Job): readonly string[] {
  return compared.filter((field) => textOf(was[field]) !== textOf(is[field]));
}

function textOf(value: Job[(typeof compared)[number]]): string {
  if (typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value) ?? "";
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
