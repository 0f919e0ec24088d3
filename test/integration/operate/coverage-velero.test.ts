/** What no policy takes of a real cluster: namespaces, claims and volumes. No node is needed, for nothing is captured. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Cluster, startCluster, whyNoCluster } from "../../servers/kubernetes.ts";
import { whereIs } from "../../servers/on-path.ts";
import { freePort } from "../../servers/ports.ts";
import { veleroPolicy } from "../../servers/velero.ts";
import { until } from "../../servers/waiting.ts";
import { findsWhatIsPlanted } from "./planted.ts";

const why =
  whyNoCluster("control") ?? (whereIs("kubectl") === undefined ? "kubectl is not installed" : undefined);

describe.skipIf(why !== undefined)("coverage of a cluster", () => {
  let cluster: Cluster;
  const kubectl = (args: readonly string[], input?: string): string =>
    execFileSync("kubectl", [`--kubeconfig=${cluster.kubeconfig}`, ...args], {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
    });
  const create = (object: object): void => void kubectl(["create", "--filename=-"], JSON.stringify(object));

  beforeAll(async () => {
    cluster = await startCluster("control");
  }, 180_000);
  afterAll(async () => {
    await cluster?.stop();
  }, 60_000);

  const bound = async (namespace: string, name: string): Promise<void> => {
    create({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: `volume-${name}` },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "folder",
        persistentVolumeReclaimPolicy: "Retain",
        claimRef: { namespace, name },
        hostPath: { path: join(cluster.folder, name) },
      },
    });
    create({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "folder",
        resources: { requests: { storage: "1Gi" } },
      },
    });
    const phase = () =>
      kubectl(["get", "pvc", name, `--namespace=${namespace}`, "--output=jsonpath={.status.phase}"]);
    await until(() => phase() === "Bound", 60_000);
  };

  it("finds the namespace, the claims and the volume that are in no backup", async () => {
    for (const name of ["bud-data", "bud-lab", "bud-empty"]) kubectl(["create", "namespace", name]);
    kubectl(["create", "configmap", "settings", "--namespace=bud-data", "--from-literal=a=1"]);
    kubectl(["create", "secret", "generic", "token", "--namespace=bud-lab", "--from-literal=a=1"]);
    await bound("bud-data", "files");
    await bound("bud-data", "idle");
    await bound("bud-lab", "scratch");
    await bound("bud-lab", "left");
    // No node runs it; what Velero looks at is its phase.
    await until(
      () => kubectl(["get", "serviceaccounts", "--namespace=bud-data", "--output=name"]).includes("/default"),
      60_000,
    );
    create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "store", namespace: "bud-data" },
      spec: {
        containers: [
          {
            name: "store",
            image: "docker.io/local/pause:1",
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "files" } }],
      },
    });
    kubectl([
      ...["patch", "pod", "store", "--namespace=bud-data", "--subresource=status", "--type=merge"],
      '--patch={"status":{"phase":"Running"}}',
    ]);
    kubectl(["delete", "pvc", "left", "--namespace=bud-lab"]);
    const released = () => kubectl(["get", "pv", "volume-left", "--output=jsonpath={.status.phase}"]);
    await until(() => released() === "Released", 60_000);
    const nowhere = join(cluster.folder, "nowhere.kubeconfig");
    writeFileSync(
      nowhere,
      `apiVersion: v1
kind: Config
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:${await freePort()}"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {}}]
current-context: nowhere
`,
    );
    const policy = veleroPolicy({ cluster }, ["bud-data"]);
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: ["claim/bud-data/idle", "claim/bud-lab/scratch", "namespace/bud-lab", "volume/volume-left"],
      covered: ["claim/bud-data/files", "namespace/bud-data"],
      setAside: ["namespace/bud-empty", "namespace/default", "namespace/kube-system"],
      unreachable: { connection: { ...policy.connection, kubeconfig: nowhere } },
    });
  }, 300_000);
});
