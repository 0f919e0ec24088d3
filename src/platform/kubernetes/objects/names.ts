/**
 * Names, labels and annotations of our objects. A run's Job is named after its job and its nominal slot, the
 * way the CronJob controller names its own, so that the API server itself refuses the second run of a slot.
 */
import { type Instant, instant } from "../../../catalogue/instant.ts";

export const fieldOwner = "holdfast";
export const partOfLabel = "app.kubernetes.io/part-of";
export const ownerLabel = "app.kubernetes.io/managed-by";
export const jobLabel = "holdfast.dev/job";
export const policyLabel = "holdfast.dev/policy";
export const groupLabel = "holdfast.dev/group";
export const jobAnnotation = "holdfast.dev/definition";
export const revisionAnnotation = "holdfast.dev/revision";
export const slotAnnotation = "holdfast.dev/slot";

/** On everything of ours, so that one selector finds it all again. */
export const ourLabels = { [partOfLabel]: "holdfast", [ownerLabel]: "holdfast" } as const;
export const ourSelector = `${ownerLabel}=holdfast`;

/** The controller appends a dash and the minutes since 1970 to a CronJob's name, and 63 characters are the limit. */
const longestName = 52;

/** Its slash can be told from its dashes, so that no other key has its name. */
const exactKey = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\/[a-z0-9]+(?:-[a-z0-9]+)*)?$/;

/**
 * An object name for a job's key: `postgresql/verify-4` becomes `postgresql--verify-4`. A key that is too long,
 * or whose name another key could have, ends with a hash of itself.
 */
export function objectName(key: string): string {
  const plain = key.toLowerCase().replaceAll("/", "--");
  if (exactKey.test(key) && plain.length <= longestName) return plain;
  const safe = plain.replaceAll(/[^a-z0-9-]/g, "-").replace(/^-+/, "");
  return `${safe.slice(0, longestName - 9).replace(/-+$/, "")}-${fnv1a(key)}`;
}

/** A label value for any text; texts of more than 63 characters are told apart by a hash. */
export function labelValue(text: string): string {
  return objectName(text);
}

/** The Job's name for one slot; equal to the CronJob controller's for a slot on a whole minute. */
export function runName(key: string, slotAt: Instant): string {
  const seconds = Math.floor(Date.parse(slotAt) / 1000);
  const minutes = Math.floor(seconds / 60);
  return seconds % 60 === 0
    ? `${objectName(key)}-${minutes}`
    : `${objectName(key)}-${minutes}s${seconds % 60}`;
}

/** The nominal instant a Job's name tells, or undefined for a name of another kind. */
export function slotOfRunName(name: string): Instant | undefined {
  const found = /-(\d{7,9})(?:s(\d{1,2}))?$/.exec(name);
  if (found === null) return undefined;
  return instant((Number(found[1]) * 60 + Number(found[2] ?? 0)) * 1000);
}

function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
