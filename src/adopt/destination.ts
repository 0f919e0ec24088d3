/** The bucket a foreign job writes to, as far as its words and variables say it. */
import { baseName, type ShellCommand } from "./shell.ts";
import { addressOf, flagOf, shaped, variableOf } from "./values.ts";
import type { Workload } from "./workload.ts";

export interface BucketAddress {
  /** Empty for AWS' own. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
}

const bucketVariables = [
  ...["WALG_S3_PREFIX", "WALE_S3_PREFIX", "PGBACKREST_REPO1_S3_BUCKET"],
  ...["S3_BUCKET", "S3_BUCKET_NAME", "AWS_S3_BUCKET", "AWS_BUCKET", "BUCKET", "BUCKET_NAME"],
];
const endpointVariables = [
  ...["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "S3_ENDPOINT", "S3_ENDPOINT_URL"],
  "PGBACKREST_REPO1_S3_ENDPOINT",
];
const regionVariables = ["AWS_REGION", "AWS_DEFAULT_REGION", "S3_REGION", "PGBACKREST_REPO1_S3_REGION"];

/** The last bucket that its commands name, or the one its variables do. */
export function destinationOf({ commands }: Workload): BucketAddress | undefined {
  const named = commands.flatMap(bucketAddresses).at(-1);
  if (named !== undefined) return named;
  for (const command of commands) {
    const text = variableOf(command, bucketVariables)
      ?.replace(/^s3:\/\//, "")
      .split("/")[0];
    const bucket = shaped("bucket", text);
    if (bucket !== undefined) return { ...placeOf(command), bucket };
  }
  return undefined;
}

/** Buckets among the command's words, in their order: `s3://bucket/…`, `alias/bucket/…` of mc, `remote:bucket/…` of rclone. */
export function bucketAddresses(command: ShellCommand): readonly BucketAddress[] {
  const { words } = command;
  const program = words.map((w) => baseName(w.text)).find((w) => /^(?:mc|mcli|rclone)$/.test(w));
  return words.flatMap(({ text }) => {
    const s3 = shaped("bucket", /^s3:\/\/([^/]+)/.exec(text)?.[1]);
    if (s3 !== undefined) return [{ ...placeOf(command), bucket: s3 }];
    if (program === "rclone") return remoteOf(command, text);
    return program === undefined ? [] : aliasOf(command, text);
  });
}

function placeOf(command: ShellCommand): Omit<BucketAddress, "bucket"> {
  const text = flagOf(command.words, ["--endpoint-url"]) ?? variableOf(command, endpointVariables);
  const isBare = text !== undefined && /^[A-Za-z0-9.-]+(?::\d+)?$/.test(text);
  const region = flagOf(command.words, ["--region"]) ?? variableOf(command, regionVariables);
  return {
    endpoint: addressOf(isBare ? `https://${text}` : text) ?? "",
    region: shaped("region", region) ?? "us-east-1",
  };
}

/** `MC_HOST_alias` holds the address with the keys before its `@`. */
function aliasOf(command: ShellCommand, text: string): readonly BucketAddress[] {
  const [, alias = "", name] = /^([A-Za-z][\w-]*)\/([^/]+)/.exec(text) ?? [];
  const endpoint = addressOf(command.variables.get(`MC_HOST_${alias}`));
  const bucket = shaped("bucket", name);
  if (endpoint === undefined || bucket === undefined) return [];
  return [{ ...placeOf(command), endpoint, bucket }];
}

/** `RCLONE_CONFIG_REMOTE_ENDPOINT` and its like. */
function remoteOf(command: ShellCommand, text: string): readonly BucketAddress[] {
  const [, remote = "", name] = /^([A-Za-z][\w-]*):([^/]+)/.exec(text) ?? [];
  const prefix = `RCLONE_CONFIG_${remote.toUpperCase()}_`;
  const bucket = shaped("bucket", name);
  if (bucket === undefined || command.variables.get(`${prefix}TYPE`) !== "s3") return [];
  const { region } = placeOf(command);
  return [
    {
      endpoint: addressOf(command.variables.get(`${prefix}ENDPOINT`)) ?? "",
      region: shaped("region", command.variables.get(`${prefix}REGION`)) ?? region,
      bucket,
    },
  ];
}
