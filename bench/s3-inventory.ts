/**
 * One capture of a replicated bucket, twice in turn with the raw tool: `mc` listing every version of both sides through
 * the same codec and a cipher into a synced file, and `holdfast`'s capture, which lists both, compares them, reads a
 * sample of the contents and waits for its canary to arrive.
 * Usage: node bench/s3-inventory.ts [objects] [rounds]
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PutBucketVersioningCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { backup } from "../src/operate/backup.ts";
import {
  clearMinioSecrets,
  minioPrograms,
  minioUser,
  replicaStore,
  replicationPolicy,
  setMinioSecrets,
  startMinio,
} from "../test/servers/minio.ts";
import { openWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const objects = Number(process.argv[2] ?? 5000);
const rounds = Number(process.argv[3] ?? 5);
const password = "bench-secret-0123456789";

const programs = minioPrograms();
if (programs === undefined) throw new Error("MinIO and mc cannot be had here");
setMinioSecrets(password);
const [source, replica] = [
  await startMinio(programs, password, "models"),
  await startMinio(programs, password, "models-dr"),
];
const policy = replicationPolicy(source, programs);
const test = await openWorld(policy, { store: replicaStore(replica) });
try {
  for (const side of [source, replica])
    await side.client.send(
      new PutBucketVersioningCommand({ Bucket: side.bucket, VersioningConfiguration: { Status: "Enabled" } }),
    );
  await test.world.withContext(policy, {}, async (context) =>
    (await test.world.engine(policy)).mend(context, "replication.rule"),
  );
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let i = lane; i < objects; i += 16)
      await source.client.send(
        new PutObjectCommand({
          Bucket: source.bucket,
          Key: `set/${i % 17}/object-${i}`,
          Body: `content ${i}`,
        }),
      );
  });
  await Promise.all(lanes);
  const bareFile = join(test.folder, "bare");
  const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
  const list = (alias: string, bucket: string) =>
    `"${join(programs, "mc")}" --config-dir "${test.folder}/mc" --json ls --recursive --versions ${alias}/${bucket}`;
  const pipe = `{ ${list("source", source.bucket)} && ${list("replica", replica.bucket)}; } | zstd -q --single-thread -1 -c | ${cipher} | dd of=${bareFile} bs=1M conv=fsync status=none`;
  const hostOf = (endpoint: string) => endpoint.replace("//", `//${minioUser}:${password}@`);
  const bare = async (): Promise<void> => {
    const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", pipe], {
      encoding: "utf8",
      env: {
        PATH: process.env["PATH"] ?? "",
        MC_HOST_source: hostOf(source.endpoint),
        MC_HOST_replica: hostOf(replica.endpoint),
      },
    });
    if (status !== 0) throw new Error(`the bare pipe ended with ${status}: ${stderr}`);
    rmSync(bareFile);
  };
  let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
  const ours = async (): Promise<void> => {
    slotAtMs += 3_600_000;
    await backup(test.world, test.policy, { slotAtMs });
  };
  // The last objects are still on their way.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const figures = await inTurn(bare, ours, rounds);
  console.log(JSON.stringify({ what: "both sides of a replicated bucket listed", objects, ...figures }));
} finally {
  await test.close();
  await source.stop();
  await replica.stop();
  clearMinioSecrets();
}
