/** A server for every component, a cluster with a node and Velero in it, and the buckets of the stores; for pods. */
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { clickhouseTools, fillClickhouse, startClickhouse, type TestClickhouse } from "./clickhouse.ts";
import type { ClusterBuckets, ClusterSources } from "./cluster-policies.ts";
import { ferretProgram, startMongo, type TestMongo } from "./ferretdb.ts";
import { type Gates, openGates } from "./gates.ts";
import {
  apiOfPods,
  type Cluster,
  hostOfPods,
  raiseApiAddress,
  raiseBridge,
  startCluster,
} from "./kubernetes.ts";
import { addUsers, type LimitedUser, minioPrograms, startMinio, type TestMinio } from "./minio.ts";
import { baoProgram, startBao, type TestBao } from "./openbao.ts";
import { startPostgres, type TestPostgres } from "./postgresql.ts";
import { fillRedis, startRedis } from "./redis.ts";
import {
  addClaim,
  addPodWithClaim,
  addVolume,
  installVelero,
  type TestVelero,
  whyNoVelero,
} from "./velero.ts";
import { until } from "./waiting.ts";

export const production = "bud-data";
export const clickhousePassword = "a-password-of-the-pods";
export const minioPassword = "a-secret-of-the-buckets";
/** May read everything that is stored, and nothing else. */
export const reader: LimitedUser = {
  id: "reader-of-points",
  secret: "a-secret-of-the-reader",
  actions: ["s3:Get*", "s3:List*"],
  resources: ["arn:aws:s3:::*"],
};
/** May write verdicts, and neither read them nor write anything else. */
export const prover: LimitedUser = {
  id: "writer-of-verdicts",
  secret: "a-secret-of-the-prover",
  actions: ["s3:PutObject"],
  resources: ["arn:aws:s3:::*/verdicts/*", "arn:aws:s3:::*/key-proofs/*"],
};
const buckets = { vault: "vault", replica: "models-dr", velero: "bud-velero" } as const;

export interface WholeStack {
  readonly cluster: Cluster;
  readonly postgres: TestPostgres;
  readonly vaultToken: string;
  readonly sources: ClusterSources;
  /** Undefined without MinIO, and then there are neither buckets nor Velero. */
  readonly stores: (ClusterBuckets & { readonly minio: TestMinio }) | undefined;
  readonly programs: { readonly bao?: string; readonly minio?: string; readonly ferretdb?: string };
  readonly velero: Pick<TestVelero, "kubectl"> | undefined;
  stop(): Promise<void>;
}

/** Everything is there and holds something when it resolves; what cannot be had on this machine is left out. */
export async function startWholeStack(): Promise<WholeStack> {
  const [bao, clickhouse, minio, ferretdb] = [
    baoProgram(),
    clickhouseTools(),
    minioPrograms(),
    ferretProgram(),
  ];
  // Each server has a last word of its own should the process end.
  process.setMaxListeners(20);
  const stops: (() => Promise<unknown> | undefined)[] = [];
  const kept = <T>(started: T, stop: (started: T) => Promise<unknown> | undefined): T => {
    stops.unshift(() => stop(started));
    return started;
  };
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0)) await one();
  };
  try {
    // The node's end takes the bridge along, and so comes after that of all who listen on it.
    const cluster = kept(await startCluster("node"), (c) => c.stop());
    raiseBridge();
    raiseApiAddress();
    const gates = kept(openGates(), async (g) => g.close());
    await gates.open(cluster.port, apiOfPods);
    const [postgres, redis, vault, columns, mongo, models, stored] = await Promise.all([
      startPostgres().then((s) => kept(s, (p) => p.remove())),
      startRedis().then((s) => kept(s, (r) => r.stop())),
      bao === undefined ? undefined : startBao(bao).then((s) => kept(s, (b) => b.stop())),
      clickhouse === undefined
        ? undefined
        : startClickhouse(clickhouse, clickhousePassword).then((s) => kept(s, (c) => c.stop())),
      ferretdb === undefined ? undefined : startMongo().then((s) => kept(s, (m) => m.remove())),
      minio === undefined
        ? undefined
        : startMinio(minio, minioPassword, "models", hostOfPods).then((s) => kept(s, (m) => m.stop())),
      minio === undefined
        ? undefined
        : startMinio(minio, minioPassword, buckets.vault, hostOfPods).then((s) => kept(s, (m) => m.stop())),
    ]);
    await postgres.run("create table payments as select generate_series(1, 1000) as id");
    await redis.ask((client) => fillRedis(client, 100));
    if (vault !== undefined) await fillVault(vault);
    if (columns !== undefined) await fillClickhouse(columns, 500);
    if (mongo !== undefined) await fillMongo(mongo);
    if (models !== undefined) await fillBucket(models);
    if (stored !== undefined) {
      for (const Bucket of [buckets.replica, buckets.velero])
        await stored.client.send(new CreateBucketCommand({ Bucket }));
      addUsers(minio ?? "", stored, minioPassword, [reader, prover]);
    }
    const hasVelero = stored !== undefined && whyNoVelero("node") === undefined;
    const velero = hasVelero ? kept(await installVelero(cluster, "node"), (v) => v.stop()) : undefined;
    if (velero !== undefined) await fillNamespace(velero, cluster);
    return {
      cluster,
      postgres,
      vaultToken: vault?.token ?? "",
      sources: await sourcesOf(gates, { postgres, redis, vault, columns, mongo, models, hasVelero }),
      stores: stored === undefined ? undefined : { ...buckets, endpoint: stored.endpoint, minio: stored },
      programs: {
        ...(bao === undefined ? {} : { bao }),
        ...(minio === undefined ? {} : { minio }),
        ...(ferretdb === undefined ? {} : { ferretdb }),
      },
      velero,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Started {
  readonly postgres: TestPostgres;
  readonly redis: { readonly port: number };
  readonly vault: TestBao | undefined;
  readonly columns: TestClickhouse | undefined;
  readonly mongo: TestMongo | undefined;
  readonly models: TestMinio | undefined;
  readonly hasVelero: boolean;
}

async function sourcesOf(gates: Gates, started: Started): Promise<ClusterSources> {
  const { postgres, redis, vault, columns, mongo, models, hasVelero } = started;
  const vaultPort = vault === undefined ? undefined : await gates.open(Number(new URL(vault.address).port));
  return {
    postgresqlPort: await gates.open(postgres.port),
    redisPort: await gates.open(redis.port),
    ...(mongo === undefined ? {} : { mongodbPort: await gates.open(mongo.port) }),
    ...(columns === undefined ? {} : { clickhousePort: await gates.open(columns.connection.port) }),
    ...(vaultPort === undefined ? {} : { vaultAddress: `http://${hostOfPods}:${vaultPort}` }),
    ...(models === undefined ? {} : { models: { endpoint: models.endpoint, bucket: models.bucket } }),
    ...(hasVelero ? { velero: { namespace: "velero", production } } : {}),
  };
}

async function fillVault(vault: TestBao): Promise<void> {
  await vault.api.write("sys/mounts/secret", { type: "kv", options: { version: "2" } });
  await until(async () => (await vault.api.ask("GET", "secret/config")).status !== 400);
  await vault.api.write("secret/data/app", { data: { token: "a value of an application" } });
}

async function fillMongo({ client }: TestMongo): Promise<void> {
  await client
    .db("shop")
    .collection<{ _id: number }>("items")
    .insertMany(Array.from({ length: 200 }, (_, n) => ({ _id: n })));
}

async function fillBucket({ client, bucket: Bucket }: TestMinio): Promise<void> {
  for (let n = 0; n < 20; n += 1)
    await client.send(new PutObjectCommand({ Bucket, Key: `weights/${n}.bin`, Body: `weights ${n}` }));
}

/** A namespace with a Secret, a ConfigMap and a volume that a pod mounts; one more volume for who restores it. */
async function fillNamespace(velero: Pick<TestVelero, "kubectl">, cluster: Cluster): Promise<void> {
  const { kubectl } = velero;
  addVolume(velero, cluster.folder, "volume-1");
  addVolume(velero, cluster.folder, "volume-2");
  kubectl(["create", "namespace", production]);
  const inside = `--namespace=${production}`;
  kubectl(["create", "secret", "generic", "token", inside, "--from-literal=value=1"]);
  kubectl(["create", "configmap", "settings", inside, "--from-literal=colour=green"]);
  addClaim(velero, production, "files");
  const says = (expected: string, ...args: readonly string[]): Promise<void> =>
    until(() => kubectl(["get", ...args]).includes(expected), 90_000);
  // A controller makes it, and without it no pod is taken.
  await says("/default", "serviceaccounts", inside, "--output=name");
  addPodWithClaim(velero, production, "files");
  await says("Running", "pod", "store", inside, "--output=jsonpath={.status.phase}");
  await says("1", "daemonset", "node-agent", "--namespace=velero", "--output=jsonpath={.status.numberReady}");
}
