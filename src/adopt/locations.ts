/** Velero's storage locations as buckets. */
import type { BucketAddress } from "./destination.ts";
import { fieldsOf, nameOf, textOf } from "./fields.ts";
import type { Fields } from "./found.ts";
import { addressOf, shaped } from "./values.ts";

export interface Place {
  readonly address: BucketAddress & { readonly forcePathStyle: boolean };
  readonly prefix: string;
  readonly name: string;
}

/** Where a location leads, or why no store can say it. */
export function placeOf(
  locations: readonly Fields[],
  namespace: string,
  name: string | undefined,
): Place | string {
  const here = locations.filter((l) => nameOf(l).namespace === namespace);
  const location =
    name === undefined
      ? (here.find((l) => fieldsOf(l["spec"])["default"] === true) ??
        here.find((l) => nameOf(l).name === "default"))
      : here.find((l) => nameOf(l).name === name);
  if (location === undefined)
    return `its storage location${name === undefined ? "" : ` '${name}'`} is not there`;
  const spec = fieldsOf(location["spec"]);
  const provider = textOf(spec["provider"]) ?? "";
  if (!/^(?:velero\.io\/)?aws$/.test(provider))
    return `its storage location is no S3 bucket (provider '${shaped("name", provider) ?? "?"}')`;
  const storage = fieldsOf(spec["objectStorage"]);
  const config = fieldsOf(spec["config"]);
  const bucket = shaped("bucket", textOf(storage["bucket"]));
  if (bucket === undefined) return "its storage location names no bucket";
  const url = textOf(config["s3Url"]);
  const endpoint = addressOf(url);
  if (url !== undefined && endpoint === undefined)
    return "the address of its storage location has a path or no shape of one";
  return {
    address: {
      endpoint: endpoint ?? "",
      bucket,
      region: shaped("region", textOf(config["region"])) ?? "us-east-1",
      forcePathStyle: textOf(config["s3ForcePathStyle"]) === "true",
    },
    prefix: textOf(storage["prefix"]) ?? "",
    name: nameOf(location).name,
  };
}

/** Velero takes a folder it does not know, at the top of its own place, for damage. */
export function prefixBeside(place: Place, policy: string): string {
  return place.prefix === "" ? `backups/holdfast-${policy}/` : `holdfast/${policy}/`;
}
