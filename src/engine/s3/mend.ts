/** Sets what the S3 API can set, and the rule, whose other end only MinIO's own client can name. */
import { GetBucketReplicationCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { mcEnvironment, mcPath } from "./mc.ts";
import { type ReplicationSettings, replicaOf, type Side, settingsOf, sourceOf, withSide } from "./sides.ts";

const deadlineMs = 120_000;

/** @throws guard-refused for a setting that is not ours to change */
export async function mend(context: EngineContext, setting: string): Promise<void> {
  const source = await sourceOf(context);
  const replica = await replicaOf(context, "write");
  if (setting === "source.versioning") return enableVersioning(source);
  if (setting === "replica.versioning") return enableVersioning(replica);
  if (!setting.startsWith("replication."))
    throw new HoldfastError("guard-refused", `'${setting}' is not a setting that Holdfast changes by itself`);
  const wanted = settingsOf(context.policy);
  const parts = partsOf(wanted);
  const id = await ruleOf(source);
  const target = `${source.name}/${source.bucket}`;
  const verb =
    id === undefined
      ? ["add", target, "--remote-bucket", `${replica.name}/${replica.bucket}`, "--priority", "1"]
      : ["update", target, "--id", id, "--state", "enable"];
  await context.exec.run(
    {
      argv: [await mcPath(context), "replicate", ...verb, "--replicate", parts],
      env: mcEnvironment(context, source, replica),
    },
    { signal: context.signal, deadlineMs },
  );
}

function partsOf({ existingObjects, deletes, deleteMarkers }: ReplicationSettings): string {
  return [
    "metadata-sync",
    ...(existingObjects ? ["existing-objects"] : []),
    ...(deletes ? ["delete"] : []),
    ...(deleteMarkers ? ["delete-marker"] : []),
  ].join(",");
}

function enableVersioning(side: Side): Promise<void> {
  return withSide(side, async (client) => {
    const VersioningConfiguration = { Status: "Enabled" as const };
    await client.send(new PutBucketVersioningCommand({ Bucket: side.bucket, VersioningConfiguration }));
  });
}

/** The rule for every key, enabled or not. */
function ruleOf(source: Side): Promise<string | undefined> {
  return withSide(source, async (client) => {
    const found = await client
      .send(new GetBucketReplicationCommand({ Bucket: source.bucket }))
      .catch((error: { name?: string }) => {
        if (/NotFound|NoSuch/.test(error.name ?? "")) return undefined;
        throw error;
      });
    const rules = found?.ReplicationConfiguration?.Rules ?? [];
    return rules.find((r) => (r.Filter?.Prefix ?? r.Prefix ?? "") === "")?.ID;
  });
}
