/**
 * A real Velero for the tests: its server beside a real API server, with a bucket of a real MinIO. The server runs on
 * the machine and not in a pod, so that no node is needed; volumes need one, and their tests bring it.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Policy } from "../../src/policy/model.ts";
import { addFile, packImage } from "./image.ts";
import { type Cluster, hostOfPods, raiseBridge, startCluster, whyNoCluster } from "./kubernetes.ts";
import { minioPrograms, replicaStore, startMinio, type TestMinio } from "./minio.ts";
import { killed, pause, until } from "./waiting.ts";
import { policyFor } from "./world.ts";

const version = "1.18.3";
export const veleroPrograms = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "holdfast",
  `velero-${version}`,
);

/** Why there can be no Velero here, or undefined. */
export function whyNoVelero(level: "control" | "node" = "control"): string | undefined {
  if (!existsSync(join(veleroPrograms, "velero"))) return "Velero is not built";
  if (minioPrograms() === undefined) return "MinIO is not built";
  if (kubectlPath() === undefined) return "kubectl is not installed";
  return whyNoCluster(level);
}

export interface TestVelero {
  readonly cluster: Cluster;
  readonly minio: TestMinio;
  /** kubectl as an administrator; its output. */
  kubectl(args: readonly string[], input?: string): string;
  stop(): Promise<void>;
}

const image = "docker.io/local/velero:1";

/** @param level `node` brings pods too, Velero's node agent among them, which carries volumes; one at a time */
export async function startVelero(
  password: string,
  bucket: string,
  level: "control" | "node" = "control",
): Promise<TestVelero> {
  const programs = minioPrograms();
  if (programs === undefined) throw new Error("there is no MinIO");
  if (level === "node") raiseBridge();
  const host = level === "node" ? hostOfPods : "127.0.0.1";
  const [cluster, minio] = await Promise.all([
    startCluster(level),
    startMinio(programs, password, bucket, host),
  ]);
  try {
    const velero = await installVelero(cluster, level);
    return {
      cluster,
      minio,
      kubectl: velero.kubectl,
      stop: async () => {
        await velero.stop();
        await minio.stop();
        await cluster.stop();
      },
    };
  } catch (error) {
    await minio.stop();
    await cluster.stop();
    throw error;
  }
}

/** Velero in a cluster that is there: its objects, its server on this machine and, with a node, its node daemon. */
export async function installVelero(
  cluster: Cluster,
  level: "control" | "node",
): Promise<Pick<TestVelero, "kubectl" | "stop">> {
  const kubectl = (args: readonly string[], input?: string): string =>
    execFileSync("kubectl", [`--kubeconfig=${cluster.kubeconfig}`, ...args], {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
    });
  let child: ChildProcess | undefined;
  const last = (): void => void child?.kill("SIGKILL");
  process.once("exit", last);
  const stop = async (): Promise<void> => {
    process.removeListener("exit", last);
    child?.kill("SIGTERM");
    for (let n = 0; n < 30 && child?.exitCode === null && child.signalCode === null; n += 1) await pause(100);
    if (child !== undefined) await killed(child);
  };
  try {
    const crds = execFileSync(
      join(veleroPrograms, "velero"),
      ["install", "--crds-only", "--dry-run", "-o", "yaml"],
      {
        encoding: "utf8",
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    kubectl(["apply", "--server-side", "--filename=-"], crds);
    kubectl(["create", "namespace", "velero"]);
    // A restore of volumes looks at it for the image; what it would run runs here instead.
    kubectl([
      ...["create", "deployment", "velero", `--image=${image}`],
      ...["--replicas=0", "--namespace=velero"],
    ]);
    const plugins = join(cluster.folder, "plugins");
    mkdirSync(plugins);
    symlinkSync(join(veleroPrograms, "velero-plugin-for-aws"), join(plugins, "velero-plugin-for-aws"));
    const log = openSync(join(cluster.folder, "velero.log"), "a");
    child = spawn(
      join(veleroPrograms, "velero"),
      [
        ...["server", `--kubeconfig=${cluster.kubeconfig}`, "--namespace=velero"],
        ...[`--plugin-dir=${plugins}`, "--metrics-address=127.0.0.1:0", "--profiler-address=127.0.0.1:0"],
      ],
      {
        stdio: ["ignore", log, log],
        cwd: cluster.folder,
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: cluster.folder,
          NODE_NAME: "node1",
          VELERO_NAMESPACE: "velero",
        },
      },
    );
    if (level === "node") startNodeAgent(cluster, kubectl);
    // A Velero that has only just begun answers nobody.
    const isAwake = (): boolean =>
      /Starting workers.*controller=serverstatusrequest/.test(
        readFileSync(join(cluster.folder, "velero.log"), "utf8"),
      );
    await until(isAwake, 60_000);
    return { kubectl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The agent as the DaemonSet Velero's own installation makes, on an image of its programs alone. */
function startNodeAgent(cluster: Cluster, kubectl: TestVelero["kubectl"]): void {
  const root = join(cluster.folder, "velero-root");
  mkdirSync(join(root, "tmp"), { recursive: true });
  for (const name of ["velero", "velero-restore-helper"])
    addFile(root, join(veleroPrograms, name), `/${name}`);
  cluster.importImage(packImage(root, join(cluster.folder, "velero.tar"), image, ["/velero"]));
  kubectl(["create", "serviceaccount", "velero", "--namespace=velero"]);
  kubectl([
    "create",
    "clusterrolebinding",
    "velero",
    "--clusterrole=cluster-admin",
    "--serviceaccount=velero:velero",
  ]);
  const labels = { name: "node-agent", role: "node-agent" };
  const env = {
    VELERO_NAMESPACE: "velero",
    KUBERNETES_SERVICE_HOST: hostOfPods,
    KUBERNETES_SERVICE_PORT: String(cluster.port),
    HOME: "/tmp",
    VELERO_SCRATCH_DIR: "/scratch",
  };
  const agent = {
    name: "node-agent",
    image,
    command: ["/velero"],
    args: ["node-agent", "server"],
    env: [
      { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
    ],
    volumeMounts: [
      { name: "host-pods", mountPath: "/host_pods", mountPropagation: "HostToContainer" },
      { name: "scratch", mountPath: "/scratch" },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
  kubectl(
    ["create", "--filename=-"],
    JSON.stringify({
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "node-agent", namespace: "velero", labels },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: "velero",
            containers: [agent],
            securityContext: { runAsUser: 0 },
            volumes: [
              { name: "host-pods", hostPath: { path: join(cluster.folder, "kubelet", "pods") } },
              { name: "scratch", emptyDir: {} },
              { name: "tmp", emptyDir: {} },
            ],
          },
        },
      },
    }),
  );
}

/** A volume on a folder of this machine, for claims of class `folder`. Returns the folder. */
export function addVolume(velero: Pick<TestVelero, "kubectl">, folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  const required = {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["node1"] }] },
    ],
  };
  velero.kubectl(
    ["create", "--filename=-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "folder",
        persistentVolumeReclaimPolicy: "Retain",
        local: { path },
        nodeAffinity: { required },
      },
    }),
  );
  return path;
}

/** A claim that takes one of {@link addVolume}'s. */
export function addClaim(velero: Pick<TestVelero, "kubectl">, namespace: string, name: string): void {
  velero.kubectl(
    ["create", "--filename=-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "folder",
        resources: { requests: { storage: "1Gi" } },
      },
    }),
  );
}

/** A pod that mounts the claim and does nothing; Velero reads volumes through pods. */
export function addPodWithClaim(velero: Pick<TestVelero, "kubectl">, namespace: string, claim: string): void {
  velero.kubectl(
    ["create", "--filename=-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "store", namespace },
      spec: {
        containers: [
          {
            name: "store",
            image: "docker.io/local/pause:1",
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
      },
    }),
  );
}

/** A policy for namespace `production`, with its points below `kubernetes/` of the bucket. */
export function veleroPolicy(velero: Pick<TestVelero, "cluster">, production: readonly string[]): Policy {
  const { log: _, ...general } = policyFor({ port: 0, binDirectory: "" });
  return {
    ...general,
    name: "kubernetes",
    component: "kubernetes",
    connection: { kubeconfig: velero.cluster.kubeconfig, namespace: "velero" },
    objectives: { ...general.objectives, rpoMs: 26 * 3_600_000, pitrWindowMs: 0 },
    capture: {
      method: "velero",
      codec: "zstd",
      level: 1,
      options: { includedNamespaces: [...production], productionNamespaces: [...production] },
    },
    store: { name: "primary", prefix: "kubernetes/" },
    assertions: [{ sql: "count secrets > 0", database: "" }],
    canaryEveryMs: 0,
  };
}

export { replicaStore as bucketStore };

function kubectlPath(): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => join(folder, "kubectl"))
    .find((path) => existsSync(path));
}
