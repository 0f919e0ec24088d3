/** The engine of buckets under the suite, between two real MinIO servers. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { describe, it } from "vitest";
import { isOurs } from "../../src/engine/s3/sides.ts";
import {
  clearMinioSecrets,
  minioPrograms,
  minioUser,
  replicaStore,
  replicationPolicy,
  setMinioSecrets,
  startMinio,
  type TestMinio,
} from "../servers/minio.ts";
import { freePort } from "../servers/ports.ts";
import { openWorld } from "../servers/world.ts";
import type { DamageKind } from "./damage-kinds.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct-horse-battery-staple";
const programs = minioPrograms();

function fingerprintOfFolder(folder: string): string {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(folder.length + 1))
    .sort();
  for (const name of files)
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(folder, name)))
      .update("\0");
  return hash.digest("hex");
}

/** What happens to the replica itself, behind the inventory's back. */
function inReplica(replica: () => TestMinio): readonly DamageKind[] {
  const Key = "models/4/weights 49.bin";
  const kind = (name: string, harm: () => Promise<unknown>): DamageKind => ({
    kind: name,
    level: 3,
    stopsRestore: false,
    of: (set) => ({
      point: set.newer.id,
      writes: new Map(),
      names: [Key],
      act: async () => {
        const { client, bucket } = replica();
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        const { Versions = [] } = await client.send(
          new ListObjectVersionsCommand({ Bucket: bucket, Prefix: Key }),
        );
        for (const { VersionId } of Versions)
          await client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
        await harm();
        return async () => {
          await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: bytes }));
        };
      },
    }),
  });
  return [
    kind("every version of an object gone from the replica", async () => undefined),
    kind("other bytes of the same length in the replica", () =>
      replica().client.send(
        new PutObjectCommand({ Bucket: replica().bucket, Key, Body: "weights 48".repeat(100) }),
      ),
    ),
  ];
}

if (programs === undefined) {
  describe("engine S3 replication", () => it.skip("the server cannot be had here", () => {}));
} else {
  let replicaNow: TestMinio;
  const open = async (): Promise<EngineFixture> => {
    setMinioSecrets(password);
    const [source, replica] = await Promise.all([
      startMinio(programs, password, "models"),
      startMinio(programs, password, "models-dr"),
    ]);
    replicaNow = replica;
    const policy = replicationPolicy(source, programs);
    const store = replicaStore(replica);
    for (const side of [source, replica]) {
      const VersioningConfiguration = { Status: "Enabled" as const };
      await side.client.send(
        new PutBucketVersioningCommand({ Bucket: side.bucket, VersioningConfiguration }),
      );
    }
    const test = await openWorld(policy, { store });
    await test.world.withContext(policy, {}, async (context) =>
      (await test.world.engine(policy)).mend(context, "replication.rule"),
    );
    await test.close();
    const put = (key: string, body: string) =>
      source.client.send(new PutObjectCommand({ Bucket: source.bucket, Key: key, Body: body }));
    for (let i = 0; i < 50; i += 1) await put(`models/${i % 5}/weights ${i}.bin`, `weights ${i}`.repeat(100));
    let written = 0;
    return {
      policy,
      store,
      secrets: [password],
      write: async () => {
        written += 1;
        await put("models/written", String(written));
        await put("models/0/weights 0.bin", `changed ${written}`);
        const Key = `models/${written % 5}/weights ${written}.bin`;
        await source.client.send(new DeleteObjectCommand({ Bucket: source.bucket, Key }));
      },
      fingerprint: async () => {
        const hash = createHash("sha256");
        const { Contents = [] } = await source.client.send(
          new ListObjectsV2Command({ Bucket: source.bucket }),
        );
        const keys = Contents.map((o) => o.Key ?? "").filter((key) => !isOurs(key));
        for (const Key of keys.sort()) {
          const { Body } = await source.client.send(new GetObjectCommand({ Bucket: source.bucket, Key }));
          const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
          hash.update(Key).update("\0").update(bytes).update("\0");
        }
        return hash.digest("hex");
      },
      fingerprintOf: async (server) => fingerprintOfFolder(String(server.connection["directory"])),
      unreachable: {
        connection: { ...policy.connection, endpoint: `http://127.0.0.1:${await freePort()}` },
      },
      byHand: {
        environment: {
          MC: join(programs, "mc"),
          MC_HOST_replica: replica.endpoint.replace("//", `//${minioUser}:${password}@`),
        },
        fingerprint: async (directory) => {
          if (!existsSync(join(directory, "data"))) throw new Error("nothing was restored");
          return fingerprintOfFolder(join(directory, "data"));
        },
        stop: async () => undefined,
      },
      close: async () => {
        clearMinioSecrets();
        await source.stop();
        await replica.stop();
      },
    };
  };
  engineConformance("S3 replication", open, false);
  engineDamage(
    "S3 replication",
    open,
    inReplica(() => replicaNow),
  );
  engineKills("S3 replication", open);
}
