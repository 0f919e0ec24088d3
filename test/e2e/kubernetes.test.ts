/**
 * Policies in git become CronJobs of a real cluster, and their runs real pods of a real image: backups of PostgreSQL,
 * Redis, ClickHouse and OpenBao to an S3 store, each but ClickHouse's proved by a restore in another pod (its server is
 * not in the image: as a library it has half a gigabyte).
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { type KubeClient, openKubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import { installObjects } from "../../src/platform/kubernetes/objects/install.ts";
import { usualSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import type { KubeJob, KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";
import { systemClock } from "../../src/time/clock.ts";
import {
  clickhouseTools,
  fillClickhouse,
  startClickhouse,
  type TestClickhouse,
} from "../servers/clickhouse.ts";
import { addFile, addNode, addPrograms, nodePath, packImage } from "../servers/image.ts";
import { type Cluster, hostOfPods, raiseBridge, startCluster, whyNoCluster } from "../servers/kubernetes.ts";
import { applyAll } from "../servers/kubernetes-objects.ts";
import { baoProgram, startBao, type TestBao } from "../servers/openbao.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { fillRedis, startRedis, type TestRedis } from "../servers/redis.ts";
import { type S3Server, startS3Server } from "../servers/s3-server.ts";
import { until } from "../servers/waiting.ts";
import { holdfast } from "./holdfast.ts";

const root = join(import.meta.dirname, "../..");
const image = "docker.io/local/holdfast:1";
const { namespace } = usualSettings;
const bao = baoProgram();
const clickhouse = clickhouseTools();
const clickhousePassword = "a-password-of-the-pods";
const day = "2026-11-20T02:00:00.000Z";

describe.skipIf(whyNoCluster("node") !== undefined)("holdfast on a cluster", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-cluster-"));
  const forwarders: Server[] = [];
  let cluster: Cluster;
  let admin: KubeClient;
  let postgres: TestPostgres;
  let s3: S3Server;
  let redis: TestRedis;
  let vault: TestBao | undefined;
  let columns: TestClickhouse | undefined;
  let env: Readonly<Record<string, string>>;
  let shared: readonly string[];

  /** Servers of tests listen on the loopback alone; pods come in here. */
  async function forward(port: number): Promise<number> {
    const server = createServer((socket) => {
      const inner = connect(port, "127.0.0.1");
      socket.on("error", () => inner.destroy());
      inner.on("error", () => socket.destroy());
      socket.pipe(inner).pipe(socket);
    });
    forwarders.push(server);
    await new Promise<void>((resolve) => server.listen(0, hostOfPods, resolve));
    return (server.address() as { port: number }).port;
  }

  beforeAll(async () => {
    chmodSync(folder, 0o711);
    [cluster, postgres, s3, redis, vault, columns] = await Promise.all([
      startCluster("node"),
      startPostgres(),
      startS3Server("versitygw"),
      startRedis(),
      bao === undefined ? undefined : startBao(bao),
      clickhouse === undefined ? undefined : startClickhouse(clickhouse, clickhousePassword),
    ]);
    await redis.ask((client) => fillRedis(client, 100));
    await vault?.api.write("sys/mounts/secret", { type: "kv", options: { version: "2" } });
    await until(async () => (await vault?.api.ask("GET", "secret/config"))?.status !== 400);
    await vault?.api.write("secret/data/app", { data: { token: "a value of an application" } });
    if (columns !== undefined) await fillClickhouse(columns, 500);
    raiseBridge();
    admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    await postgres.run("create table payments as select generate_series(1, 1000) as id");
    cluster.importImage(makeImage(join(folder, "image"), postgres.binDirectory));
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    const key = join(folder, "runner.key");
    writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
    const remote = join(folder, "remote.git");
    const clone = join(folder, "clone");
    await pushPolicies({
      remote,
      clone,
      store: "/unused",
      port: await forward(postgres.port),
      runner: runner.recipient,
      escrow: escrow.recipient,
      others: await otherPolicies(),
    });
    adapt(clone, remote, await forward(s3.port), s3.bucket);
    await applyAll(
      admin,
      installObjects({ ...usualSettings, repositoryUrl: remote }),
      (o) => o.kind !== "Deployment",
    );
    const storeKeys = Object.fromEntries(
      ["WRITE", "READ", "DELETE"].flatMap((use) => [
        [`STORE_${use}_ID`, s3.accessKeyId],
        [`STORE_${use}_SECRET`, s3.secretAccessKey],
      ]),
    );
    const sourceKeys = {
      VAULT_TOKEN_OF_THE_POLICY: vault?.token ?? "",
      CLICKHOUSE_PASSWORD: clickhousePassword,
    };
    await secret("holdfast-environment", { ...storeKeys, ...sourceKeys });
    await secret("holdfast-identity", { identity: `${runner.identity}\n` });
    env = {
      KUBECONFIG: cluster.kubeconfig,
      HOLDFAST_NAMESPACE: namespace,
      HOLDFAST_IMAGE: image,
      HOLDFAST_POLICIES: join(clone, "policies"),
      ...storeKeys,
      ...sourceKeys,
    };
    shared = ["--state", join(folder, "state"), "--identity", key];
  });
  afterAll(async () => {
    admin?.close();
    await cluster?.stop();
    for (const server of forwarders) server.close();
    await postgres?.remove();
    await s3?.stop();
    await redis?.stop();
    await vault?.stop();
    await columns?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function otherPolicies(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const add = (name: string, connection: string, method: string, last: string) =>
      found.set(
        name,
        `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: ${name}}
spec:
  component: ${name}
  owner: demo
  failureDomain: this-machine
  connection: ${connection}
  objectives: {rpo: 26h, rto: 10m, reach: 6d}
  schedule: {cron: "7 1 * * *", timeZone: Etc/UTC}
  capture: {method: ${method}}
  store: {name: vault, prefix: ${name}/}
  encryption: {recipients: [runner, escrow]}
  retention: standard
  verification: standard
${last}`,
      );
    const at = async (port: number) => `host: ${hostOfPods}, port: ${await forward(port)}`;
    add(
      "redis",
      `{${await at(redis.port)}}`,
      "rdb",
      'assertions: [{sql: "DBSIZE > 0", database: "0"}]\n'.replace(/^/, "  "),
    );
    if (vault !== undefined) {
      const port = await forward(Number(new URL(vault.address).port));
      const connection = `{vaultAddress: "http://${hostOfPods}:${port}", tokenFrom: {env: VAULT_TOKEN_OF_THE_POLICY}}`;
      add("secrets", connection, "vault-export", "");
    }
    if (columns !== undefined) {
      const connection = `{${await at(columns.connection.port)}, user: default, passwordFrom: {env: CLICKHOUSE_PASSWORD}}`;
      add("clickhouse", connection, "native", "");
    }
    return found;
  }

  async function secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { name, namespace };
    await applyAll(admin, [{ apiVersion: "v1", kind: "Secret", metadata, stringData }]);
  }
  const jobs = async () =>
    (await admin.request<{ items: readonly KubeJob[] }>("GET", pathOf("Job", namespace))).items;
  /** Waits for the run's end; a failure is told with what its pod said. */
  async function succeeded(isIt: (job: KubeJob) => boolean): Promise<KubeJob> {
    const ended = async () =>
      (await jobs()).find(
        (j) =>
          isIt(j) &&
          j.status?.conditions?.some((c) => c.status === "True" && /^(Complete|Failed)$/.test(c.type)),
      );
    await until(async () => (await ended()) !== undefined, 180_000).catch(async (cause: unknown) => {
      const { items } = await admin.request<{ items: readonly KubeObject[] }>(
        "GET",
        pathOf("Pod", namespace),
      );
      const words = items.map((p) => [p.metadata.name, p["status"]]);
      throw new Error(`the run has not ended; pods: ${JSON.stringify(words)}`, { cause });
    });
    const job = await ended();
    if (job === undefined) throw new Error("the run is gone");
    if (job.status?.succeeded === 1) return job;
    const pods = await admin.request<{ items: readonly KubeObject[] }>("GET", pathOf("Pod", namespace));
    const said = pods.items;
    throw new Error(
      `${job.metadata.name} failed: ${JSON.stringify(said.map((p) => [p.metadata.name, p["status"]]))}`,
    );
  }

  it("turns a commit into CronJobs, and the first run is a pod that makes a backup", async () => {
    const ran = await holdfast(
      [
        "run",
        "--once",
        "--platform",
        "kubernetes",
        "--repository",
        join(folder, "remote.git"),
        "--listen",
        "none",
        ...shared,
      ],
      { env },
    );
    expect(ran.stderr).toContain("done: ");
    const held = await admin.request<{ items: readonly KubeJob[] }>("GET", pathOf("CronJob", namespace));
    expect(held.items.map((i) => i.metadata.name)).toContain("postgresql--capture");
    await succeeded((j) => j.metadata.name.startsWith("postgresql--capture-"));
    const list = await holdfast(["list", "postgresql", "--format", "json", ...shared], { env });
    expect(JSON.parse(list.stdout)).toMatchObject({ points: [{ policy: "postgresql" }] });
  });

  it.each(["redis", "secrets", "clickhouse"])("makes a point of %s in a pod too", async (policy) => {
    if ((policy === "secrets" && vault === undefined) || (policy === "clickhouse" && columns === undefined))
      return;
    await succeeded((j) => j.metadata.name.startsWith(`${policy}--capture-`));
    const list = await holdfast(["list", policy, "--format", "json", ...shared], { env });
    expect(JSON.parse(list.stdout)).toMatchObject({ points: [{ policy }] });
  });

  it("shows the run with its outcome, and wants nothing more", async () => {
    const status = await holdfast(["status", ...shared], { env });
    expect(status.stdout).toMatch(/postgresql/);
    const plan = await holdfast(["plan", "--format", "json", ...shared], { env });
    expect(JSON.parse(plan.stdout)).toMatchObject({ actions: [], refusals: [] });
  });

  it.each(["postgresql", "redis", "secrets"])(
    "proves the backup of %s in a pod of the CronJob's own template",
    async (policy) => {
      if (policy === "secrets" && vault === undefined) return;
      const holder = await admin.request<{ spec: { jobTemplate: object } }>(
        "GET",
        `${pathOf("CronJob", namespace)}/${policy}--verify-4`,
      );
      const name = `${policy}--verify-4-${Date.parse(day) / 60_000}`;
      const { metadata, spec } = holder.spec.jobTemplate as { metadata: object; spec: object };
      await admin.request("POST", pathOf("Job", namespace), {
        body: { apiVersion: "batch/v1", kind: "Job", metadata: { ...metadata, name }, spec },
      });
      await succeeded((j) => j.metadata.name === name);
      const list = await holdfast(["list", policy, "--format", "json", ...shared], { env });
      expect(JSON.parse(list.stdout)).toMatchObject({ points: [{ proof: 4 }] });
    },
  );
});

/** The demo's policies for servers that pods reach. */
function adapt(clone: string, remote: string, storePort: number, bucket: string): void {
  const change = (name: string, from: RegExp, to: string): void => {
    const path = join(clone, "policies", name);
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
  };
  const pair = (use: string) =>
    `{accessKeyIdFrom: {env: STORE_${use}_ID}, secretAccessKeyFrom: {env: STORE_${use}_SECRET}}`;
  change("postgresql.yaml", /host: 127\.0\.0\.1/, `host: ${hostOfPods}`);
  change(
    "platform.yaml",
    / {2}type: directory\n {2}failureDomain: demo-vault\n {2}path: .*\n/,
    `  type: s3
  failureDomain: demo-vault
  endpoint: http://${hostOfPods}:${storePort}
  region: us-east-1
  bucket: ${bucket}
  forcePathStyle: true
  credentials:
    write: ${pair("WRITE")}
    read: ${pair("READ")}
    delete: ${pair("DELETE")}
`,
  );
  change("platform.yaml", /pollEvery: 2s\n/, "pollEvery: 2s\n  platform: {kind: kubernetes}\n");
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      stdio: "ignore",
    });
  git("commit", "--quiet", "--all", "--message", "policies: on the cluster");
  git("push", "--quiet", remote, "HEAD:main");
}

/** What deploy/Containerfile makes, from files of this machine. */
function makeImage(place: string, postgresPrograms: string): string {
  mkdirSync(join(place, "etc"), { recursive: true });
  mkdirSync(join(place, "tmp"));
  writeFileSync(join(place, "etc/passwd"), "root:x:0:0::/:/bin/sh\nholdfast:x:10001:10001::/tmp:/bin/sh\n");
  const programs = [
    "pg_basebackup",
    "pg_receivewal",
    "pg_verifybackup",
    "pg_controldata",
    "pg_ctl",
    "pg_waldump",
    "pg_combinebackup",
    "postgres",
  ];
  addNode(place);
  addPrograms(place, [
    ...programs
      .map((p) => join(postgresPrograms, p))
      .filter((p) => p !== join(postgresPrograms, "pg_combinebackup")),
    ...[
      "/bin/sh",
      "/usr/bin/git",
      "/usr/bin/zstd",
      "/usr/bin/igzip",
      "/bin/gzip",
      "/bin/tar",
      "/usr/bin/du",
      "/bin/cat",
      "/bin/cp",
      "/bin/ln",
      "/usr/bin/test",
      "/usr/bin/id",
      "/bin/df",
      "/usr/bin/head",
      "/usr/bin/setpriv",
      "/usr/bin/openssl",
      ...["redis-cli", "redis-server", "redis-check-rdb", "redis-check-aof"].map(
        (name) => `/usr/bin/${name}`,
      ),
      "/bin/bash",
    ],
  ]);
  if (bao !== undefined) addFile(place, bao, "/usr/local/bin/bao");
  addFile(place, "/usr/share/postgresql/15", "/usr/share/postgresql/15");
  addFile(place, "/usr/lib/postgresql/15/lib", "/usr/lib/postgresql/15/lib");
  addFile(place, "/usr/share/zoneinfo", "/usr/share/zoneinfo");
  for (const name of ["package.json", "src", "schema"])
    addFile(place, join(root, name), `/opt/holdfast/${name}`);
  const listed = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const path of listed
    .split("\n")
    .filter((p) => p.includes("/node_modules/") && !/node-linux-|\/node_modules\/node$/.test(p))) {
    if (!path.slice(root.length + "/node_modules/".length).includes("/node_modules/"))
      addFile(place, path, join("/opt/holdfast", path.slice(root.length)));
  }
  const tar = packImage(place, join(dirname(place), "holdfast.tar"), image, [
    nodePath,
    "/opt/holdfast/src/cli/holdfast.mjs",
  ]);
  rmSync(place, { recursive: true });
  return tar;
}
