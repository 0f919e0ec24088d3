/** The engine of buckets under the suite, between two real MinIO servers. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
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
} from "../servers/minio.ts";
import { freePort } from "../servers/postgresql.ts";
import { openWorld } from "../servers/world.ts";
import { engineConformance } from "./engine.ts";

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

if (programs === undefined) {
  describe("engine S3 replication", () => it.skip("the server cannot be had here", () => {}));
} else {
  engineConformance(
    "S3 replication",
    async () => {
      setMinioSecrets(password);
      const [source, replica] = await Promise.all([
        startMinio(programs, password, "models"),
        startMinio(programs, password, "models-dr"),
      ]);
      const policy = replicationPolicy(source, programs);
      const store = replicaStore(replica);
      for (const side of [source, replica]) {
        const VersioningConfiguration = { Status: "Enabled" as const };
        await side.client.send(
          new PutBucketVersioningCommand({ Bucket: side.bucket, VersioningConfiguration }),
        );
      }
      const test = await openWorld(policy, { store });
      await test.world.withContext(policy, {}, (context) =>
        test.world.engine(policy).mend(context, "replication.rule"),
      );
      await test.close();
      const put = (key: string, body: string) =>
        source.client.send(new PutObjectCommand({ Bucket: source.bucket, Key: key, Body: body }));
      for (let i = 0; i < 50; i += 1)
        await put(`models/${i % 5}/weights ${i}.bin`, `weights ${i}`.repeat(100));
      let written = 0;
      return {
        policy,
        store,
        secrets: [password],
        isEncrypted: false,
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
    },
    false,
  );
}
