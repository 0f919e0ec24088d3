/** Which fields of a job differ. */
import type { Job } from "../state/job.ts";

type Compared = Exclude<keyof Job, "key">;

/** Every field but the key, which says which job it is: the compiler asks for a new one here. */
const compared: Readonly<Record<Compared, true>> = {
  policy: true,
  policies: true,
  kind: true,
  schedule: true,
  argv: true,
  deadlineMs: true,
  suspended: true,
  group: true,
  account: true,
  apart: true,
};

/** Names of the fields that differ, in a fixed order; empty for equal jobs. */
export function changedFields(was: Job, is: Job): readonly string[] {
  const fields = Object.keys(compared) as Compared[];
  return fields.filter((field) => textOf(was[field]) !== textOf(is[field]));
}

function textOf(value: Job[Compared]): string {
  if (typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value) ?? "";
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
