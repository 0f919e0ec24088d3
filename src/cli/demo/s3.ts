/** Object storage in the demo: two MinIO servers, a bucket that replicates, emptied, and read back from the other side. */
import type { ChildProcess } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openExec } from "../../exec/system.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { restore } from "../../operate/restore.ts";
import { rememberSecret } from "../../secret.ts";
import { type DemoComponent, type DemoServer, prove } from "./component.ts";
import { findProgram } from "./find-program.ts";
import type { ChoosePort } from "./source-server.ts";
import { ended, requireThat, type Shown, type Stage, startProgram, until, untilCaptured } from "./stage.ts";

const objectsCount = 60;
const user = "minio-of-the-demo";
/** Deletion has an identity of its own, as lint asks. */
const deleter = "pruner-of-the-demo";

export const s3InDemo: DemoComponent = {
  component: "s3",
  missing: async (exec) => {
    for (const name of ["minio", "mc"])
      if ((await findProgram(exec, name, "minio-")) === undefined)
        return "sh .ci/minio.sh (builds MinIO and mc with Go, some minutes once)";
    return undefined;
  },
  start,
};

interface Bucket {
  readonly endpoint: string;
  readonly name: string;
  readonly child: ChildProcess;
}

/** One run of MinIO's client; it knows the servers as `source` and `replica`. Its standard output. */
type Client = (words: readonly string[], input?: string) => Promise<string>;

async function start(folder: string, signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer> {
  const exec = openExec();
  const mc = (await findProgram(exec, "mc", "minio-")) ?? "mc";
  const program = (await findProgram(exec, "minio", "minio-")) ?? "minio";
  await mkdir(folder, { mode: 0o700 });
  const password = crypto.randomUUID();
  rememberSecret(password);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const open = async (name: string, usual: number) => {
    const ports = [await choosePort(usual), await choosePort(usual + 1)] as const;
    return startServer(program, join(folder, name), name, password, ports);
  };
  const [source, replica] = [await open("models", 9000), await open("models-elsewhere", 9010)];
  const hostOf = ({ endpoint }: Bucket) => `http://${user}:${password}@${new URL(endpoint).host}`;
  const env = {
    MC_CONFIG_DIR: join(folder, "mc"),
    MC_HOST_source: hostOf(source),
    MC_HOST_replica: hostOf(replica),
  };
  const client: Client = async (words, input = "") => {
    const options = { deadlineMs: 30_000, signal, input };
    return (await exec.run({ argv: [mc, "--quiet", ...words], env }, options)).stdout;
  };
  for (const [side, { name }] of [["source", source] as const, ["replica", replica] as const]) {
    const isMade = () => client(["mb", "--ignore-existing", `${side}/${name}`]).catch(() => undefined);
    await until("MinIO answers", isMade, signal);
  }
  const objects = join(folder, "objects");
  await mkdir(join(objects, "weights"), { recursive: true });
  for (let i = 1; i <= objectsCount; i += 1)
    await writeFile(join(objects, "weights", `${i}.bin`), `weights ${i} `.repeat(i * 50));
  await client(["mirror", `${objects}/`, `source/${source.name}`]);
  await client(["admin", "user", "add", "replica"], `${deleter}\n${password}\n`);
  await client(["admin", "policy", "attach", "replica", "readwrite", "--user", deleter]);
  const files = {
    userFile: await file("user", user),
    deleterFile: await file("deleter", deleter),
    passwordFile: await file("password", password),
    tools: dirname(mc),
  };
  return {
    title: "MinIO",
    policy: policyText(source, replica, files),
    unit: "objects",
    count: () => countIn(client, source),
    show: (stage, name) => emptyBucket(stage, name, client, source),
    stop: async () => {
      for (const { child } of [source, replica]) await ended(child);
      // It holds the password.
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startServer(
  program: string,
  folder: string,
  name: string,
  password: string,
  [port, consolePort]: readonly [number, number],
): Promise<Bucket> {
  await mkdir(folder);
  const places = ["--address", `127.0.0.1:${port}`, "--console-address", `127.0.0.1:${consolePort}`];
  const child = startProgram(program, ["server", "--quiet", ...places, join(folder, "data")], {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    MINIO_ROOT_USER: user,
    MINIO_ROOT_PASSWORD: password,
    MINIO_BROWSER: "off",
    MINIO_CI_CD: "1",
    MINIO_UPDATE: "off",
  });
  return { endpoint: `http://127.0.0.1:${port}`, name, child };
}

async function countIn(client: Client, { name }: Bucket): Promise<number> {
  const listed = await client(["ls", "--recursive", "--json", `source/${name}/weights/`]);
  return listed.split("\n").filter((line) => line.includes('"type":"file"')).length;
}

async function emptyBucket(stage: Stage, name: string, client: Client, source: Bucket): Promise<Shown> {
  const { world, say, workdir } = stage;
  const policy = findPolicy(world, name);
  const { manifest } = await untilCaptured(stage, policy);
  const lag = String(manifest.engine["lagSeconds"]);
  say(`replication, set up by the reconciler: ${lag} s from one server to the other`);
  const before = await countIn(client, source);
  await client(["rm", "--recursive", "--force", `source/${source.name}/weights/`]);
  const lostAtMs = Date.now();
  requireThat((await countIn(client, source)) === 0, "the bucket is not empty");
  say(`DISASTER: all ${before} objects of the bucket are deleted, and the deletions replicate too`);
  const directory = join(workdir, `restored-${name}`);
  const outcome = await restore(world, policy, {
    target: { kind: "point" },
    point: manifest.id,
    directory,
    start: false,
  });
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  await client(["mirror", `${join(outcome.directory, "data")}/`, `source/${source.name}`]);
  const rtoSeconds = (Date.now() - lostAtMs) / 1000;
  const after = await countIn(client, source);
  requireThat(after === before, `${name}: ${after} of ${before} objects are back`);
  say(
    `  read back from the other side's versions in ${rtoSeconds.toFixed(1)} s: ${after} of ${before} objects are in the bucket again`,
  );
  const proof = await prove(stage, world, name, manifest.id);
  const rpoSeconds = Math.max(0, lostAtMs - Date.parse(manifest.consistentAt)) / 1000;
  return { policy: name, point: manifest.id, finishedAt: manifest.finishedAt, proof, rpoSeconds, rtoSeconds };
}

interface Files {
  readonly userFile: string;
  readonly deleterFile: string;
  readonly passwordFile: string;
  readonly tools: string;
}

function policyText(
  source: Bucket,
  replica: Bucket,
  { userFile, passwordFile, deleterFile, tools }: Files,
): string {
  const keysOf = (file: string) =>
    `{accessKeyIdFrom: {file: ${file}}, secretAccessKeyFrom: {file: ${passwordFile}}}`;
  return `# A bucket that replicates to another server; the replica keeps every version.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: s3}
spec:
  component: s3
  owner: demo
  failureDomain: demo-server
  connection:
    endpoint: "${source.endpoint}"
    bucket: ${source.name}
    accessKeyIdFrom: {file: ${userFile}}
    secretAccessKeyFrom: {file: ${passwordFile}}
  objectives: {rpo: 15m, rto: 1h, reach: forever}
  schedule: {continuous: true}
  capture:
    method: replication
    options: {existingObjects: true, deletes: true, deleteMarkers: true, maxLag: 60s, toolDirectory: ${tools}}
  store: {name: elsewhere, prefix: holdfast/s3/}
  encryption: {recipients: [runner, escrow]}
  retention: forever
  verification: standard
  assertions: [{sql: "count == ${objectsCount}"}]
---
apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: elsewhere}
spec:
  type: s3
  failureDomain: demo-elsewhere
  endpoint: "${replica.endpoint}"
  region: us-east-1
  bucket: ${replica.name}
  forcePathStyle: true
  credentials:
    write: ${keysOf(userFile)}
    read: ${keysOf(userFile)}
    delete: ${keysOf(deleterFile)}
`;
}
