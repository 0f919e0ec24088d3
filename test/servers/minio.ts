/** A pair of MinIO servers with a bucket each, from which one replicates to the other once a policy is mended. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { Policy, StoreSettings } from "../../src/policy/model.ts";
import { freePort } from "./ports.ts";
import { s3Settings } from "./settings.ts";
import { killed, until } from "./waiting.ts";
import { policyFor } from "./world.ts";

/** The folder of minio and mc, or undefined where they cannot be had. */
export function minioPrograms(): string | undefined {
  const script = fileURLToPath(new URL("../../.ci/minio.sh", import.meta.url));
  try {
    return execFileSync("sh", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  } catch {
    return undefined;
  }
}

export interface TestMinio {
  readonly endpoint: string;
  readonly bucket: string;
  readonly client: S3Client;
  stop(): Promise<void>;
}

export const minioUser = "holdfast-test";

export async function startMinio(
  programs: string,
  password: string,
  bucket: string,
  host = "127.0.0.1",
): Promise<TestMinio> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-minio-"));
  const [port, consolePort] = [await freePort(), await freePort()];
  const child = spawn(
    join(programs, "minio"),
    [
      "server",
      "--quiet",
      "--address",
      `${host}:${port}`,
      "--console-address",
      `127.0.0.1:${consolePort}`,
      join(folder, "data"),
    ],
    {
      stdio: "ignore",
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: folder,
        MINIO_ROOT_USER: minioUser,
        MINIO_ROOT_PASSWORD: password,
        MINIO_BROWSER: "off",
        MINIO_CI_CD: "1",
        MINIO_UPDATE: "off",
      },
    },
  );
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const endpoint = `http://${host}:${port}`;
  const client = new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: minioUser, secretAccessKey: password },
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  await until(async () =>
    client.send(new CreateBucketCommand({ Bucket: bucket })).then(
      () => true,
      (error: Error) => /BucketAlready/.test(error.name),
    ),
  );
  return {
    endpoint,
    bucket,
    client,
    stop: async () => {
      process.removeListener("exit", last);
      client.destroy();
      await killed(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface LimitedUser {
  readonly id: string;
  readonly secret: string;
  /** Actions and resources of the one policy it has. */
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

/** After it the server knows these users with these rights and no others. */
export function addUsers(
  programs: string,
  minio: Pick<TestMinio, "endpoint">,
  password: string,
  users: readonly LimitedUser[],
): void {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mc-"));
  const { protocol, host } = new URL(minio.endpoint);
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    MC_CONFIG_DIR: folder,
    MC_HOST_here: `${protocol}//${minioUser}:${password}@${host}`,
  };
  const mc = (...args: readonly string[]): void =>
    void execFileSync(join(programs, "mc"), ["--quiet", "admin", ...args], { env, stdio: "pipe" });
  try {
    for (const { id, secret, actions, resources } of users) {
      const path = join(folder, `${id}.json`);
      const Statement = [{ Effect: "Allow", Action: actions, Resource: resources }];
      writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement }));
      mc("user", "add", "here", id, secret);
      mc("policy", "create", "here", `only-${id}`, path);
      mc("policy", "attach", "here", `only-${id}`, "--user", id);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const replicaSecretName = "HOLDFAST_TEST_REPLICA_SECRET";
export const sourceSecretName = "HOLDFAST_TEST_SOURCE_SECRET";
const userName = "HOLDFAST_TEST_MINIO_USER";

/** Credentials come by environment, as in a policy. */
export function setMinioSecrets(password: string): void {
  process.env[userName] = minioUser;
  process.env[sourceSecretName] = password;
  process.env[replicaSecretName] = password;
}

export function clearMinioSecrets(): void {
  for (const name of [userName, sourceSecretName, replicaSecretName]) delete process.env[name];
}

export function replicaStore(replica: Pick<TestMinio, "endpoint" | "bucket">): StoreSettings {
  const keys = {
    accessKeyId: { env: userName },
    secretAccessKey: { env: replicaSecretName },
  };
  return {
    ...s3Settings(replica.endpoint, replica.bucket, "primary"),
    credentials: { write: keys, read: keys, delete: keys },
  };
}

export function replicationPolicy(
  source: Pick<TestMinio, "endpoint" | "bucket">,
  programs: string,
  changes: Partial<Policy> = {},
): Policy {
  const { log: _, ...general } = policyFor({ port: 0, binDirectory: "" });
  return {
    ...general,
    name: "models",
    component: "s3",
    connection: {
      endpoint: source.endpoint,
      bucket: source.bucket,
      accessKeyIdFrom: { env: userName },
      secretAccessKeyFrom: { env: sourceSecretName },
    },
    objectives: { ...general.objectives, rpoMs: 15 * 60_000, reachMs: "forever", pitrWindowMs: 0 },
    schedule: { kind: "continuous" },
    capture: {
      method: "replication",
      codec: "zstd",
      level: 1,
      options: {
        existingObjects: true,
        deletes: true,
        deleteMarkers: true,
        maxLag: "60s",
        toolDirectory: programs,
      },
    },
    store: { name: "primary", prefix: "holdfast/models/" },
    assertions: [{ sql: "count > 0", database: "" }],
    canaryEveryMs: 0,
    ...changes,
  };
}
