import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { silent } from "../../src/log.ts";
import { openKubeClient } from "../../src/platform/kubernetes/client.ts";
import { openKubernetesPlatform } from "../../src/platform/kubernetes/kubernetes.ts";
import { installObjects } from "../../src/platform/kubernetes/objects/install.ts";
import { jobLabel, objectName } from "../../src/platform/kubernetes/objects/names.ts";
import { usualSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import { systemClock } from "../../src/time/clock.ts";
import { addNode, nodePath, packImage } from "../servers/image.ts";
import { type Cluster, startCluster, whyNoCluster } from "../servers/kubernetes.ts";
import { applyAll } from "../servers/kubernetes-objects.ts";
import { until } from "../servers/waiting.ts";
import { platformConformance } from "./platform.ts";

const image = "docker.io/local/holdfast-test:1";
let cluster: Cluster;
let count = 0;

describe.skipIf(whyNoCluster("node") !== undefined)("platform kubernetes on a cluster with a node", () => {
  beforeAll(async () => {
    cluster = await startCluster("node");
    const root = join(cluster.folder, "image-root");
    addNode(root);
    cluster.importImage(packImage(root, join(cluster.folder, "test.tar"), image, [nodePath]));
    rmSync(root, { recursive: true });
  });
  afterAll(() => cluster.stop());

  platformConformance("kubernetes", async () => {
    count += 1;
    const namespace = `conformance-${count}`;
    const settings = { ...usualSettings, namespace, image, extraArgs: [] };
    const admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    await applyAll(
      admin,
      installObjects({ ...settings, repositoryUrl: "https://git.example.org/x.git" }),
      (o) => ["Namespace", "ServiceAccount"].includes(o.kind),
    );
    const client = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    const platform = openKubernetesPlatform({
      client,
      clock: systemClock,
      log: silent,
      settings,
      holder: "me",
    });
    await until(async () => {
      const found = await admin.request<{ items: readonly { metadata: { name: string } }[] }>(
        "GET",
        `/api/v1/namespaces/${namespace}/configmaps`,
      );
      return found.items.some((i) => i.metadata.name === "kube-root-ca.crt");
    });
    return {
      platform,
      runsOutliveStop: true,
      job: (key, { ms = 0, exitStatus = 0, group = key, deadlineMs = 60_000 } = {}) => ({
        key,
        policy: "p",
        kind: "log",
        schedule: { kind: "once" },
        // The first process of a container gets no signal it does not ask for.
        argv: [
          "-e",
          `process.on("SIGTERM", () => process.exit(143)); setTimeout(() => process.exit(${exitStatus}), ${ms})`,
        ],
        deadlineMs,
        suspended: false,
        group,
      }),
      runsOf: async (key) => {
        const found = await admin.request<{ items: readonly unknown[] }>(
          "GET",
          `/api/v1/namespaces/${namespace}/pods`,
          { query: { labelSelector: `${jobLabel}=${objectName(key)}` } },
        );
        return found.items.length;
      },
      tamper: async (key) => {
        await admin.request("PATCH", `/apis/batch/v1/namespaces/${namespace}/cronjobs/${objectName(key)}`, {
          contentType: "application/merge-patch+json",
          query: { fieldManager: "somebody" },
          body: { spec: { jobTemplate: { spec: { activeDeadlineSeconds: 7 } } } },
        });
      },
      close: async () => {
        await platform.stop(1000);
        await admin.request("DELETE", `/api/v1/namespaces/${namespace}`);
        admin.close();
      },
    };
  });
});
