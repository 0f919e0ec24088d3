/** Secrets of a real Kubernetes API through a real kubectl: exported, lost, and created again as they were. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import { type KubeClient, openKubeClient } from "../../src/platform/kubernetes/client.ts";
import type { KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";
import type { Policy } from "../../src/policy/model.ts";
import { systemClock } from "../../src/time/clock.ts";
import { type Cluster, startCluster, whyNoCluster } from "../servers/kubernetes.ts";
import { applyAll, tokenOf } from "../servers/kubernetes-objects.ts";
import { whereIs } from "../servers/on-path.ts";
import { secretsPolicy } from "../servers/openbao.ts";
import { openWorld, type TestWorld } from "../servers/world.ts";

const namespace = "shop";
const planted = "a-value-that-nobody-may-see-7c1f";

describe.skipIf(whyNoCluster() !== undefined || whereIs("kubectl") === undefined)(
  "secrets of Kubernetes",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-kubernetes-secrets-"));
    const worlds: TestWorld[] = [];
    let cluster: Cluster;
    let admin: KubeClient;

    const metadata = (name: string, more: object = {}) => ({ name, namespace, ...more });
    const secret = (name: string, type: string, stringData: object, more: object = {}, about: object = {}) =>
      ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: metadata(name, about),
        type,
        stringData,
        ...more,
      }) as KubeObject;
    const held = async () => {
      const found: Record<string, unknown> = {};
      for (const kind of ["Secret", "ConfigMap"]) {
        const { items } = await admin.request<{ items: readonly KubeObject[] }>(
          "GET",
          `/api/v1/namespaces/${namespace}/${kind.toLowerCase()}s`,
        );
        for (const item of items)
          found[`${kind}/${item.metadata.name}`] = [
            item["type"],
            item["immutable"],
            item["data"],
            item["binaryData"],
            item.metadata.labels,
          ];
      }
      return found;
    };
    const policyOf = (changes: Partial<Policy> = {}): Policy =>
      secretsPolicy(
        { address: "" },
        {
          connection: { kubeconfig: cluster.kubeconfig },
          capture: {
            method: "kubernetes-secrets",
            codec: "zstd",
            level: 1,
            options: { namespaces: [namespace], configMaps: true },
          },
          assertions: [{ sql: "objects > 3", database: "" }],
          ...changes,
        },
      );
    const worldOf = async (policy: Policy): Promise<TestWorld> => {
      const test = await openWorld(policy);
      worlds.push(test);
      return test;
    };

    beforeAll(async () => {
      cluster = await startCluster("control");
      admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
      await applyAll(admin, [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } } as KubeObject,
      ]);
      const issued = { annotations: { "cert-manager.io/certificate-name": "shop" } };
      await applyAll(admin, [
        secret(
          "database",
          "Opaque",
          { password: planted, "with.dots": "ä\n'\"$" },
          {},
          { labels: { app: "shop" } },
        ),
        secret("registry", "kubernetes.io/dockerconfigjson", {
          ".dockerconfigjson": JSON.stringify({ auths: { "r.example": { auth: planted } } }),
        }),
        secret("fixed", "Opaque", { key: planted }, { immutable: true }),
        secret("release", "helm.sh/release.v1", { release: planted }),
        secret("issued", "Opaque", { "tls.key": planted }, {}, issued),
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: metadata("kube-root-ca.crt"),
          data: { "ca.crt": "as a controller puts it into each namespace" },
        } as unknown as KubeObject,
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: metadata("settings"),
          data: { mode: "fast" },
          binaryData: { blob: Buffer.from([0, 255, 1]).toString("base64") },
        } as unknown as KubeObject,
      ]);
    });
    afterAll(async () => {
      for (const test of worlds) await test.close();
      admin?.close();
      await cluster?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it("are exported without what the cluster makes anew, lost, and created again as they were", async () => {
      const test = await worldOf(policyOf());
      const seen = new Set<string>();
      const sampling = setInterval(() => {
        for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
          try {
            seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
          } catch {
            // It has ended meanwhile.
          }
        }
      }, 2);
      const outcome = await backup(test.world, test.policy, { slotAtMs: Date.parse("2026-11-20T02:00:00Z") });
      clearInterval(sampling);
      expect([...seen].some((line) => line.includes("kubectl"))).toBe(true);
      expect([...seen].filter((line) => line.includes(planted))).toEqual([]);
      const [point] = (await (await test.world.repository(test.policy)).catalogue()).points;
      expect(JSON.stringify(point)).not.toContain(planted);
      expect(point?.manifest.engine["leftOut"]).toMatchObject({
        "helm releases": 1,
        "issued certificates": 1,
        "cluster certificates": 1,
      });
      const { ok, verdict } = await verify(test.world, test.policy, { level: 4, point: outcome.point });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(ok).toBe(true);

      const before = await held();
      for (const name of ["database", "registry", "fixed"])
        await admin.request("DELETE", `/api/v1/namespaces/${namespace}/secrets/${name}`);
      await admin.request("DELETE", `/api/v1/namespaces/${namespace}/configmaps/settings`);
      expect(Object.keys(await held()).length).toBe(Object.keys(before).length - 4);
      const restored = await restore(test.world, test.policy, {
        target: { kind: "point" },
        point: outcome.point,
        directory: join(folder, "restored"),
        start: false,
      });
      expect(restored.ok).toBe(true);
      execFileSync("sh", ["-e", "-c", restored.startCommand], {
        env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
        stdio: "pipe",
      });
      expect(await held()).toEqual(before);
    });

    it("are a failure with its cause where the namespace is not there or may not be read", async () => {
      const capture = policyOf().capture;
      const nowhere = await worldOf(
        policyOf({ capture: { ...capture, options: { ...capture.options, namespaces: ["nowhere"] } } }),
      );
      await expect(backup(nowhere.world, nowhere.policy, {})).rejects.toThrow(/nowhere/);
      await applyAll(admin, [
        { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata("stranger") } as KubeObject,
      ]);
      const config = JSON.parse(
        execFileSync(
          "kubectl",
          [`--kubeconfig=${cluster.kubeconfig}`, "config", "view", "--raw", "-o", "json"],
          {
            encoding: "utf8",
          },
        ),
      ) as { users: { name: string; user: object }[] };
      const token = await tokenOf(admin, namespace, "stranger");
      for (const user of config.users) user.user = { token };
      const stranger = join(folder, "stranger.json");
      writeFileSync(stranger, JSON.stringify(config), { mode: 0o600 });
      const refused = await worldOf(policyOf({ connection: { kubeconfig: stranger } }));
      await expect(backup(refused.world, refused.policy, {})).rejects.toThrow(/cannot be read|orbidden/);
      for (const test of [nowhere, refused])
        expect((await (await test.world.repository(test.policy)).catalogue()).points).toEqual([]);
    });
  },
);
