/** The two sides of a replication: the policy's source, and the replica, which is the policy's store. */
import { S3Client } from "@aws-sdk/client-s3";
import { HoldfastError } from "../../errors.ts";
import type { Policy, SecretReference } from "../../policy/model.ts";
import { parseDuration } from "../../time/duration.ts";
import type { EngineContext } from "../engine.ts";

export interface Side {
  readonly name: "source" | "replica";
  /** Empty for the provider's own. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly forcePathStyle: boolean;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Everything of ours lies below it, on both sides, and is no part of what is compared. */
export const ownPrefix = "holdfast/";
/** What the store tries its conditions on. */
const probePrefix = ".holdfast-probe/";

/** True of keys that are no part of what is replicated and compared. */
export function isOurs(key: string): boolean {
  return key.startsWith(ownPrefix) || key.startsWith(probePrefix);
}

export const canaryKey = `${ownPrefix}canary`;

const defaultMaxLagMs = 15 * 60_000;

export interface ReplicationSettings {
  readonly existingObjects: boolean;
  readonly deletes: boolean;
  readonly deleteMarkers: boolean;
  readonly maxLagMs: number;
  /** Objects whose contents are compared at each capture. */
  readonly sample: number;
  /** A larger share of objects deleted between two points is a storm; 0 to 1. */
  readonly stormShare: number;
}

/** @throws policy-invalid when the points would lie among the replica's own objects */
export function settingsOf(policy: Policy): ReplicationSettings {
  const { options } = policy.capture;
  if (!policy.store.prefix.startsWith(ownPrefix)) {
    throw new HoldfastError(
      "policy-invalid",
      `the store's bucket holds the replica, so the points of '${policy.name}' need a prefix below '${ownPrefix}' in it`,
      { hint: `store: {name: ${policy.store.name}, prefix: ${ownPrefix}${policy.name}/}` },
    );
  }
  const lag = options["maxLag"];
  const count = (name: string, otherwise: number): number => {
    const value = options[name];
    return typeof value === "number" ? value : otherwise;
  };
  return {
    existingObjects: options["existingObjects"] !== false,
    deletes: options["deletes"] === true,
    deleteMarkers: options["deleteMarkers"] === true,
    maxLagMs: typeof lag === "number" ? lag : (parseDuration(String(lag ?? "")) ?? defaultMaxLagMs),
    sample: count("sample", 20),
    stormShare: count("stormShare", 0.2),
  };
}

/** @throws key-missing */
export async function sourceOf(context: EngineContext): Promise<Side> {
  const { connection } = context.policy;
  const text = (name: string, otherwise = ""): string => {
    const value = connection[name];
    return typeof value === "string" ? value : otherwise;
  };
  const secret = async (name: string): Promise<string> => {
    const reference = connection[name] as SecretReference | undefined;
    return reference === undefined ? "" : (await context.secret(reference)).trim();
  };
  return {
    name: "source",
    endpoint: text("endpoint"),
    region: text("region", "us-east-1"),
    bucket: text("bucket"),
    forcePathStyle: connection["forcePathStyle"] !== false,
    accessKeyId: await secret("accessKeyIdFrom"),
    secretAccessKey: await secret("secretAccessKeyFrom"),
  };
}

/** The policy's store with the rights of `role`. @throws policy-invalid for a store that is no bucket */
export async function replicaOf(context: EngineContext, role: "read" | "write"): Promise<Side> {
  const place = await context.store(role);
  if (place.kind !== "s3")
    throw new HoldfastError("policy-invalid", `store '${context.policy.store.name}' is no bucket`, {
      hint: "a replica lies in a bucket: type s3",
    });
  const { kind: _, keyPrefix: __, ...rest } = place;
  return { name: "replica", ...rest };
}

/** `host/bucket`, for people. */
export function placeOf({ endpoint, bucket }: Side): string {
  return `${endpoint === "" ? "s3" : new URL(endpoint).host}/${bucket}`;
}

const connectionTimeoutMs = 10_000;
const requestTimeoutMs = 60_000;

export function clientOf(side: Side): S3Client {
  return new S3Client({
    region: side.region === "" ? "us-east-1" : side.region,
    ...(side.endpoint === "" ? {} : { endpoint: side.endpoint }),
    forcePathStyle: side.forcePathStyle,
    credentials: {
      accessKeyId: side.accessKeyId,
      secretAccessKey: side.secretAccessKey,
      ...(side.sessionToken === undefined ? {} : { sessionToken: side.sessionToken }),
    },
    maxAttempts: 3,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
  });
}

/** Calls `work` with a client and closes it. @throws source-unreachable, tool-failed */
export async function withSide<T>(side: Side, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = clientOf(side);
  try {
    return await work(client);
  } catch (error) {
    throw asOurs(side, error);
  } finally {
    client.destroy();
  }
}

const refusals =
  /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|Forbidden|403)$/;

export function asOurs(side: Side, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const {
    name = "",
    message = String(error),
    $metadata,
  } = error as {
    name?: string;
    message?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const where = `the ${side.name} ${placeOf(side)}`;
  if (status === undefined || status >= 500)
    return new HoldfastError("source-unreachable", `${where} cannot be reached: ${message}`, {
      cause: error,
    });
  const isRefused = status === 403 || refusals.test(name);
  return new HoldfastError("tool-failed", `${where} refuses: ${name} ${message}`.trim(), {
    cause: error,
    hint: isRefused ? "docs/components/s3.md lists the rights" : "does the bucket exist?",
  });
}
