/** Real S3 servers on free ports of this machine, each with an empty folder and one bucket, gone after `stop`. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openS3Store, type S3Options } from "../../src/store/s3.ts";
import type { Store } from "../../src/store/store.ts";
import { freePort, freePorts } from "./ports.ts";
import { s3Settings } from "./settings.ts";

export type S3ServerKind = "seaweedfs" | "versitygw";

export interface S3Server {
  readonly kind: S3ServerKind;
  readonly endpoint: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  /** Where the server keeps its data. */
  readonly folder: string;
  /** A store over the bucket; `through` is the port of a proxy in between. */
  open(options?: S3Options & { readonly through?: number }): Store;
  stop(): Promise<void>;
}

export interface S3ServerOptions {
  /** Data goes here instead of a new temporary folder. */
  readonly folder?: string;
  readonly bucket?: string;
  /** The bucket keeps versions and locks each new object for so many days (versitygw). */
  readonly lockDays?: number;
}

/** The server's program, or undefined where it cannot be had; installs it on first use. */
export function s3ServerProgram(kind: S3ServerKind): string | undefined {
  const script = fileURLToPath(new URL("../../.ci/s3-server.sh", import.meta.url));
  try {
    return execFileSync("sh", [script, kind], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  } catch {
    return undefined;
  }
}

const accessKeyId = "TESTACCESSKEY0000001";
const secretAccessKey = "testSecretKey/not+real/0123456789abcdef";

async function weed(program: string, folder: string, port: number) {
  const ports = await freePorts(9);
  const config = join(folder, "identities.json");
  const identity = {
    name: "test",
    credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }],
    actions: ["Admin", "Read", "Write", "List", "Tagging"],
  };
  await writeFile(config, JSON.stringify({ identities: [identity] }), { mode: 0o600 });
  const data = join(folder, "data");
  await mkdir(data, { recursive: true });
  const server = [
    "-alsologtostderr=false",
    `-logdir=${folder}`,
    "server",
    `-dir=${data}`,
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    `-master.port=${ports[0]}`,
    `-master.port.grpc=${ports[1]}`,
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=256",
    `-volume.port=${ports[2]}`,
    `-volume.port.grpc=${ports[3]}`,
    "-volume.max=50",
    "-volume.preStopSeconds=0",
    `-filer.port=${ports[4]}`,
    `-filer.port.grpc=${ports[5]}`,
    "-s3",
    `-s3.port=${port}`,
    `-s3.port.grpc=${ports[6]}`,
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    `-s3.config=${config}`,
  ];
  return { command: program, args: server, env: {} };
}

async function versity(program: string, folder: string, port: number, hasVersions: boolean) {
  const data = join(folder, "data");
  const versions = join(folder, "versions");
  await mkdir(data, { recursive: true });
  await mkdir(versions, { recursive: true });
  const posix = ["posix", ...(hasVersions ? ["--versioning-dir", versions] : []), data];
  return {
    command: program,
    args: ["--port", `127.0.0.1:${port}`, "--quiet", "--keep-alive", ...posix],
    env: { ROOT_ACCESS_KEY_ID: accessKeyId, ROOT_SECRET_ACCESS_KEY: secretAccessKey },
  };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  await exit;
}

/** Makes the bucket and writes one object, which tells that all of the server's parts are up. */
async function untilReady(
  server: S3Server,
  child: ChildProcess,
  log: string,
  lockDays: number,
): Promise<void> {
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  });
  const store = server.open({ retries: 0 });
  let last: unknown;
  try {
    for (const endMs = Date.now() + 60_000; Date.now() < endMs && child.exitCode === null; ) {
      try {
        const made = new sdk.CreateBucketCommand({
          Bucket: server.bucket,
          ...(lockDays > 0 ? { ObjectLockEnabledForBucket: true } : {}),
        });
        await client.send(made).catch((error: Error) => {
          if (!/BucketAlready/.test(error.name)) throw error;
        });
        await store.put("ready", Buffer.from("ready"));
        await store.remove(["ready"]);
        if (lockDays > 0)
          await client.send(
            new sdk.PutObjectLockConfigurationCommand({
              Bucket: server.bucket,
              ObjectLockConfiguration: {
                ObjectLockEnabled: "Enabled",
                Rule: { DefaultRetention: { Mode: "COMPLIANCE", Days: lockDays } },
              },
            }),
          );
        return;
      } catch (error) {
        last = error;
        await sleep(100);
      }
    }
  } finally {
    client.destroy();
    await store.close();
  }
  const said = readFileSync(log, "utf8").slice(-2_000);
  throw new Error(`${server.kind} did not start: ${String(last)}\n${said}`);
}

/** A running server whose bucket is empty. @throws Error when it cannot be had or does not start. */
export async function startS3Server(
  kind: S3ServerKind = "seaweedfs",
  options: S3ServerOptions = {},
): Promise<S3Server> {
  const program = s3ServerProgram(kind);
  if (program === undefined) throw new Error(`${kind} cannot be had on this machine`);
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `holdfast-${kind}-`)));
  const bucket = options.bucket ?? "backups";
  const port = await freePort();
  const lockDays = options.lockDays ?? 0;
  const { command, args, env } = await (kind === "seaweedfs"
    ? weed(program, folder, port)
    : versity(program, folder, port, lockDays > 0));
  const log = join(folder, "server.log");
  const output = openSync(log, "w");
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ["ignore", output, output],
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...env },
  });
  closeSync(output);
  // A test run that is killed must not leave its servers behind.
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const server: S3Server = {
    kind,
    endpoint: `http://127.0.0.1:${port}`,
    port,
    accessKeyId,
    secretAccessKey,
    bucket,
    folder,
    open: ({ through, ...rest } = {}) =>
      openS3Store(
        s3Settings(`http://127.0.0.1:${through ?? port}`, bucket),
        "write",
        { accessKeyId, secretAccessKey },
        rest,
      ),
    stop: async () => {
      process.removeListener("exit", last);
      await ended(child, "SIGKILL");
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await untilReady(server, child, log, lockDays);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}
