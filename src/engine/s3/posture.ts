/** What both buckets are set to, as the S3 API tells it. */
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketReplicationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type Side, withSide } from "./sides.ts";

export interface Rule {
  readonly id: string;
  readonly isEnabled: boolean;
  /** Empty for every key. */
  readonly prefix: string;
  readonly deleteMarkers: boolean;
  /** MinIO's own field, which the SDK does not know; undefined where nobody could ask for it. */
  readonly deletes: boolean | undefined;
  readonly existingObjects: boolean;
}

export interface Posture {
  readonly sourceVersioning: boolean;
  readonly replicaVersioning: boolean;
  /** Undefined where the server knows no replication. */
  readonly rules: readonly Rule[] | undefined;
  /** Days after which the replica drops versions that are not current, or current ones; the shortest. */
  readonly replicaExpiryDays?: number;
  readonly replicaLockDays: number;
}

const missing =
  /^(ReplicationConfigurationNotFoundError|NoSuchLifecycleConfiguration|ObjectLockConfigurationNotFoundError|NoSuchConfiguration|NoSuchObjectLockConfiguration|NoSuchReplicationConfiguration)$/;
const unknown = /^(NotImplemented|MethodNotAllowed|UnknownOperation|XNotImplemented)$/;

/** `otherwise` where nothing is set, `undefined` where the server does not know the question. */
async function asked<T>(question: Promise<T>, otherwise: T): Promise<T | undefined> {
  return question.catch((error: { name?: string; $metadata?: { httpStatusCode?: number } }) => {
    if (missing.test(error.name ?? "")) return otherwise;
    if (unknown.test(error.name ?? "") || error.$metadata?.httpStatusCode === 501) return undefined;
    throw error;
  });
}

/** @throws source-unreachable, tool-failed */
export async function readPosture(source: Side, replica: Side): Promise<Posture> {
  const atSource = await withSide(source, async (client) => {
    await client.send(new HeadBucketCommand({ Bucket: source.bucket }));
    return { versioning: await versioningOf(client, source), rules: await rulesOf(client, source) };
  });
  const atReplica = await withSide(replica, async (client) => {
    await client.send(new HeadBucketCommand({ Bucket: replica.bucket }));
    return {
      versioning: await versioningOf(client, replica),
      expiryDays: await expiryOf(client, replica),
      lockDays: await lockOf(client, replica),
    };
  });
  return {
    sourceVersioning: atSource.versioning,
    replicaVersioning: atReplica.versioning,
    rules: atSource.rules,
    ...(atReplica.expiryDays === undefined ? {} : { replicaExpiryDays: atReplica.expiryDays }),
    replicaLockDays: atReplica.lockDays,
  };
}

async function versioningOf(client: S3Client, { bucket }: Side): Promise<boolean> {
  const answer = await asked(
    client.send(new GetBucketVersioningCommand({ Bucket: bucket })),
    undefined as never,
  );
  return answer?.Status === "Enabled";
}

async function rulesOf(client: S3Client, { bucket }: Side): Promise<readonly Rule[] | undefined> {
  const answer = await asked(client.send(new GetBucketReplicationCommand({ Bucket: bucket })), {
    $metadata: {},
  });
  return answer === undefined
    ? undefined
    : (answer.ReplicationConfiguration?.Rules ?? []).map((rule) => ({
        id: rule.ID ?? "",
        isEnabled: rule.Status === "Enabled",
        prefix: rule.Filter?.Prefix ?? rule.Filter?.And?.Prefix ?? rule.Prefix ?? "",
        deleteMarkers: rule.DeleteMarkerReplication?.Status === "Enabled",
        // MinIO's own field beside AWS's; the SDK passes what it does not know by, so it is asked for by name.
        deletes:
          (rule as { DeleteReplication?: { Status?: string } }).DeleteReplication?.Status === "Enabled",
        existingObjects: rule.ExistingObjectReplication?.Status === "Enabled",
      }));
}

async function expiryOf(client: S3Client, { bucket }: Side): Promise<number | undefined> {
  const answer = await asked(client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket })), {
    $metadata: {},
  });
  const days = (answer?.Rules ?? [])
    .filter((rule) => rule.Status === "Enabled")
    .flatMap((rule) => [rule.Expiration?.Days, rule.NoncurrentVersionExpiration?.NoncurrentDays])
    .filter((value) => value !== undefined && value > 0) as number[];
  return days.length === 0 ? undefined : Math.min(...days);
}

async function lockOf(client: S3Client, { bucket }: Side): Promise<number> {
  const answer = await asked(client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket })), {
    $metadata: {},
  });
  const rule = answer?.ObjectLockConfiguration?.Rule?.DefaultRetention;
  return rule?.Days ?? (rule?.Years ?? 0) * 365;
}
