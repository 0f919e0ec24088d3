/** Every version of a bucket in key order, newest version of a key first, page by page. */
import { ListObjectVersionsCommand, type S3Client } from "@aws-sdk/client-s3";
import { HoldfastError } from "../../errors.ts";
import { isOurs, type Side } from "./sides.ts";

export interface Version {
  readonly versionId: string;
  readonly sizeBytes: number;
  /** Without quotes; empty for a delete marker. */
  readonly etag: string;
  readonly modifiedMs: number;
  readonly isMarker: boolean;
}

/** One key with all its versions, newest first. */
export interface Entry {
  readonly key: string;
  readonly versions: readonly Version[];
}

/** Memory does not grow with the bucket, only with the versions of one key. @throws store-failed */
export async function* listEntries(client: S3Client, side: Side): AsyncGenerator<Entry> {
  let key: string | undefined;
  let versions: Version[] = [];
  for await (const found of listVersions(client, side)) {
    if (found.key !== key) {
      if (key !== undefined && compareKeys(found.key, key) < 0)
        throw new HoldfastError("store-failed", `the ${side.name} lists '${found.key}' after '${key}'`, {
          hint: "the listing cannot be trusted, so nothing was decided on it",
        });
      if (key !== undefined) yield { key, versions: newestFirst(versions) };
      key = found.key;
      versions = [];
    }
    versions.push(found.version);
  }
  if (key !== undefined) yield { key, versions: newestFirst(versions) };
}

/** Stable: of two of one instant the server's own order stays. */
function newestFirst(versions: readonly Version[]): readonly Version[] {
  return [...versions].sort((a, b) => b.modifiedMs - a.modifiedMs);
}

/** By code point, as S3 lists. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function* listVersions(
  client: S3Client,
  side: Side,
): AsyncGenerator<{ readonly key: string; readonly version: Version }> {
  let KeyMarker: string | undefined;
  let VersionIdMarker: string | undefined;
  for (;;) {
    const page = await client.send(
      new ListObjectVersionsCommand({
        Bucket: side.bucket,
        ...(KeyMarker === undefined ? {} : { KeyMarker }),
        ...(VersionIdMarker === undefined ? {} : { VersionIdMarker }),
      }),
    );
    const found = [
      ...(page.Versions ?? []).map((v) => ({ ...v, isMarker: false })),
      ...(page.DeleteMarkers ?? []).map((v) => ({ ...v, Size: 0, ETag: "", isMarker: true })),
    ].map((v) => ({
      key: v.Key ?? "",
      version: {
        versionId: v.VersionId ?? "",
        sizeBytes: v.Size ?? 0,
        etag: (v.ETag ?? "").replaceAll('"', ""),
        modifiedMs: v.LastModified?.getTime() ?? 0,
        isMarker: v.isMarker,
      },
    }));
    // Versions and markers come in two lists of one page.
    found.sort((a, b) => compareKeys(a.key, b.key));
    for (const entry of found) if (!isOurs(entry.key)) yield entry;
    if (page.IsTruncated !== true) return;
    if (
      page.NextKeyMarker === undefined ||
      (page.NextKeyMarker === KeyMarker && page.NextVersionIdMarker === VersionIdMarker)
    )
      throw new HoldfastError("store-failed", `the ${side.name}'s listing is cut and names no next page`);
    KeyMarker = page.NextKeyMarker;
    VersionIdMarker = page.NextVersionIdMarker;
  }
}
