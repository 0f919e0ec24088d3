/** Quoting, and the words by which ClickHouse is told where a backup lies. */
import type { ToolPlace } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";

/** A string literal. */
export function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** An identifier. */
export function named(name: string): string {
  return `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** Where a backup lies, without a credential; stands in the manifest so that a person can type it. */
export type Location =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "s3"; readonly url: string };

export function locationOf(place: ToolPlace): Location {
  if (place.kind === "directory") return { kind: "directory", path: place.path };
  return { kind: "s3", url: `${bucketUrl(place)}/${place.keyPrefix}` };
}

function bucketUrl(place: Extract<ToolPlace, { kind: "s3" }>): string {
  if (place.endpoint === "") return `https://${place.bucket}.s3.${place.region || "us-east-1"}.amazonaws.com`;
  const endpoint = place.endpoint.replace(/\/+$/, "");
  return place.forcePathStyle
    ? `${endpoint}/${place.bucket}`
    : endpoint.replace("://", `://${place.bucket}.`);
}

/**
 * `S3(…)` or `File(…)` with what the server needs to write or read there. The secret stands in the statement's
 * body only, and the server masks it in its own logs.
 * @throws usage for credentials that come with a session token
 */
export function placeSql(place: ToolPlace): string {
  if (place.kind === "directory") return `File(${quoted(place.path)})`;
  if (place.sessionToken !== undefined) {
    throw new HoldfastError("usage", "ClickHouse's BACKUP takes no session token", {
      hint: "give the store a key of its own that does not end",
    });
  }
  rememberSecret(place.secretAccessKey);
  const { url } = locationOf(place) as Extract<Location, { kind: "s3" }>;
  return `S3(${[url, place.accessKeyId, place.secretAccessKey].map(quoted).join(", ")})`;
}

/**
 * Settings of a BACKUP or RESTORE that builds on the backup at `base`. In a bucket it is read with the
 * credentials of the statement itself, so none is written into the backup.
 */
export function baseSettings(base: ToolPlace): readonly string[] {
  if (base.kind === "directory") return [`base_backup = File(${quoted(base.path)})`];
  const { url } = locationOf(base) as Extract<Location, { kind: "s3" }>;
  return [`base_backup = S3(${quoted(url)})`, "use_same_s3_credentials_for_base_backup = 1"];
}
