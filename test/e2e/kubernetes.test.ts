/**
 * The whole strategy on a real cluster: one commit, put in force by the reconciler's own pods, becomes CronJobs and
 * Deployments whose runs are pods of a real image; backups of seven components to an S3 store, and restores in other
 * pods that prove them. ClickHouse's and the buckets' drills are left out: their programs are not in the image.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needsOf } from "../../src/cli/verbs/install.ts";
import { readPolicies } from "../../src/cli/wire.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { type KubeClient, openKubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import { installObjects } from "../../src/platform/kubernetes/objects/install.ts";
import { jobLabel } from "../../src/platform/kubernetes/objects/names.ts";
import {
  drillNamespace,
  reconcilerName,
  serviceAccountName,
  stateConfigMap,
  usualSettings,
} from "../../src/platform/kubernetes/objects/settings.ts";
import type { KubeJob, KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";
import { openS3Store } from "../../src/store/s3.ts";
import { systemClock } from "../../src/time/clock.ts";
import { variables, type WrittenPolicies, writeClusterPolicies } from "../servers/cluster-policies.ts";
import { ferretProgram } from "../servers/ferretdb.ts";
import { type GitDaemon, startGitDaemon } from "../servers/git-daemon.ts";
import { makeHoldfastImage } from "../servers/holdfast-image.ts";
import { hostOfPods } from "../servers/kubernetes.ts";
import { applyAll } from "../servers/kubernetes-objects.ts";
import { askedBy, unused } from "../servers/kubernetes-rights.ts";
import { minioUser } from "../servers/minio.ts";
import { s3Settings } from "../servers/settings.ts";
import { whyNoVelero } from "../servers/velero.ts";
import { until } from "../servers/waiting.ts";
import {
  clickhousePassword,
  minioPassword,
  prover,
  reader,
  startWholeStack,
  type WholeStack,
} from "../servers/whole-stack.ts";
import { type ClusterNetwork, describeClusterNetwork } from "./cluster-network.ts";
import { holdfast } from "./holdfast.ts";

const image = "docker.io/local/holdfast:1";
const { namespace } = usualSettings;
const drills = drillNamespace(usualSettings);
/** All that a drill is given, its identity aside. */
const drillSecrets: Readonly<Record<string, string>> = {
  ...storeKeys("READ", reader),
  ...storeKeys("VERDICT", prover),
};
const day = "2026-11-20T02:00:00.000Z";
const runLimitMs = 240_000;
const isThere = whyNoVelero("node") === undefined && ferretProgram() !== undefined;

/** The part of a pod's status that is asked for. */
interface Pod extends KubeObject {
  readonly spec: {
    readonly serviceAccountName: string;
    readonly containers: readonly [
      { readonly env: readonly { readonly name: string }[]; readonly envFrom?: readonly object[] },
    ];
    readonly volumes: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface CronJob extends KubeObject {
  readonly spec: { readonly jobTemplate: { readonly metadata: object; readonly spec: object } };
}

describe.skipIf(!isThere)("holdfast on a cluster", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-cluster-"));
  const repository = join(folder, "git", "policies.git");
  const clone = join(folder, "clone");
  let stack: WholeStack;
  let admin: KubeClient;
  let daemon: GitDaemon;
  let env: Readonly<Record<string, string>>;
  let shared: readonly string[];
  let written: WrittenPolicies;
  let needs: Awaited<ReturnType<typeof needsOf>>;
  let names: readonly string[] = [];

  beforeAll(async () => {
    chmodSync(folder, 0o711);
    stack = await startWholeStack();
    const { cluster, stores, programs } = stack;
    if (stores === undefined) throw new Error("there is no MinIO");
    admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    const { bao, minio, ferretdb } = programs;
    cluster.importImage(
      await makeHoldfastImage(join(folder, "image"), image, {
        postgresql: stack.postgres.binDirectory,
        ...(bao === undefined ? {} : { bao }),
        ...(minio === undefined ? {} : { mc: join(minio, "mc") }),
        ...(ferretdb === undefined ? {} : { ferretdb }),
      }),
    );
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    const key = join(folder, "runner.key");
    writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
    execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", repository]);
    daemon = await startGitDaemon(join(folder, "git"), hostOfPods);
    written = await writeClusterPolicies(
      {
        clone,
        remote: repository,
        runner: runner.recipient,
        escrow: escrow.recipient,
        uses: ["write", "read", "verdict", "delete"],
      },
      stack.sources,
      stores,
    );
    const { set } = await readPolicies({ policies: join(clone, "policies") });
    names = set.policies.map((p) => p.name);
    needs = await needsOf(set);
    const secrets = {
      ...storeKeys("WRITE", { id: minioUser, secret: minioPassword }),
      ...storeKeys("DELETE", { id: minioUser, secret: minioPassword }),
      ...drillSecrets,
      [variables.vaultToken]: stack.vaultToken,
      [variables.clickhousePassword]: clickhousePassword,
      [variables.modelsId]: minioUser,
      [variables.modelsSecret]: minioPassword,
    };
    env = {
      KUBECONFIG: cluster.kubeconfig,
      HOLDFAST_NAMESPACE: namespace,
      HOLDFAST_IMAGE: image,
      HOLDFAST_POLICIES: join(clone, "policies"),
      PATH: `${minio}:${process.env["PATH"]}`,
      ...secrets,
    };
    shared = ["--state", join(folder, "state"), "--identity", key];
    await applyAll(admin, objects(), (o) => o.kind === "Namespace");
    await secret(namespace, "holdfast-environment", secrets);
    // A drill is given what it needs: to read what is stored, to decrypt it, and to say what it has found.
    await secret(drills, "holdfast-environment", drillSecrets);
    for (const where of [namespace, drills])
      await secret(where, "holdfast-identity", { identity: `${runner.identity}\n` });
  });
  afterAll(async () => {
    admin?.close();
    await daemon?.stop();
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As `holdfast install --policies` prints them. */
  function objects(): readonly KubeObject[] {
    return installObjects({
      ...usualSettings,
      image,
      repositoryUrl: daemon.url("policies.git"),
      ...needs,
    });
  }
  async function secret(
    where: string,
    name: string,
    stringData: Readonly<Record<string, string>>,
  ): Promise<void> {
    const metadata = { name, namespace: where };
    await applyAll(admin, [{ apiVersion: "v1", kind: "Secret", metadata, stringData }]);
  }
  const listIn = async <T extends KubeObject>(
    where: string,
    kind: "Job" | "Pod" | "CronJob",
    labelSelector = "",
  ): Promise<readonly T[]> =>
    (await admin.request<{ items: readonly T[] }>("GET", pathOf(kind, where), { query: { labelSelector } }))
      .items;
  const list = async <T extends KubeObject>(
    kind: "Job" | "Pod" | "CronJob",
    labelSelector = "",
  ): Promise<readonly T[]> => [
    ...(await listIn<T>(namespace, kind, labelSelector)),
    ...(await listIn<T>(drills, kind, labelSelector)),
  ];
  const reconcilers = () => list<Pod>("Pod", "app.kubernetes.io/component=reconciler");
  const isReady = (pod: Pod): boolean =>
    pod.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false;
  const points: ClusterNetwork["points"] = async () =>
    JSON.parse((await holdfast(["list", "--format", "json", ...shared], { env })).stdout).points;

  /** Waits for the run's end; a failure is told with what its pod said. */
  async function succeeded(isIt: (job: KubeJob) => boolean): Promise<KubeJob> {
    const ended = async () =>
      (await list<KubeJob>("Job")).find(
        (j) =>
          isIt(j) &&
          j.status?.conditions?.some((c) => c.status === "True" && /^(Complete|Failed)$/.test(c.type)),
      );
    const words = async (): Promise<string> =>
      JSON.stringify((await list("Pod")).map((p) => [p.metadata.name, p["status"]]));
    await until(async () => (await ended()) !== undefined, runLimitMs).catch(async (cause: unknown) => {
      throw new Error(`the run has not ended; pods: ${await words()}`, { cause });
    });
    const job = await ended();
    if (job === undefined) throw new Error("the run is gone");
    if (job.status?.succeeded === 1) return job;
    throw new Error(`${job.metadata.name} failed: ${await words()}`);
  }

  it("is not ready before there is a commit, alive all the same; the one that waits its turn is ready", async () => {
    await applyAll(admin, objects());
    const readiness = async (): Promise<string> =>
      (await reconcilers())
        .filter((p) => p.status.phase === "Running")
        .map((p) => String(isReady(p)))
        .sort()
        .join();
    await until(async () => (await readiness()) === "false,true", 90_000);
  });

  it("puts one commit in force from a pod, and then both are ready", async () => {
    written.push();
    const applied = async (): Promise<string | undefined> =>
      admin
        .request<{ data?: { revision?: string } }>(
          "GET",
          `${pathOf("ConfigMap", namespace)}/${stateConfigMap}`,
        )
        .then(
          (found) => found.data?.revision,
          () => undefined,
        );
    await until(async () => (await applied()) === written.commit, 120_000);
    await until(async () => (await reconcilers()).every(isReady), 60_000);
    const held = (await list("CronJob")).map((o) => o.metadata.name);
    expect(names.filter((name) => !held.includes(`${name}--prune`))).toEqual([]);
  });

  it("runs each component's job as a pod, and its point is in the store", async () => {
    // A bucket is watched all the time: what takes its points is a Deployment's pod.
    const resident = "models";
    for (const name of names.filter((n) => n !== resident))
      await succeeded((j) => j.metadata.name.startsWith(`${name}--capture-`));
    await until(async () => (await points()).some((p) => p.policy === resident), runLimitMs);
    const pods = await list<Pod>("Pod", jobLabel);
    for (const name of names)
      expect(pods.map((p) => p.metadata.labels?.[jobLabel])).toContain(`${name}--capture`);
    expect([...new Set((await points()).map((p) => p.policy))].sort()).toEqual([...names].sort());
    console.log(`points of ${names.join(", ")}`);
  });

  it("proves PostgreSQL, Redis, secrets, MongoDB and Velero by drills in pods of the CronJobs' own templates", async () => {
    const drilled = names.filter((n) => !["clickhouse", "models"].includes(n));
    for (const policy of drilled) {
      const holder = (await list<CronJob>("CronJob")).find((o) => o.metadata.name === `${policy}--verify-4`);
      if (holder === undefined) throw new Error(`there is no drill of ${policy}`);
      const { metadata, spec } = holder.spec.jobTemplate;
      await admin.request("POST", pathOf("Job", holder.metadata.namespace ?? ""), {
        body: { apiVersion: "batch/v1", kind: "Job", metadata: { ...metadata, name: runOf(policy) }, spec },
      });
    }
    for (const policy of drilled) await succeeded((j) => j.metadata.name === runOf(policy));
    const proved = (await points()).filter((p) => p.proof >= 4).map((p) => p.policy);
    expect([...new Set(proved)].sort()).toEqual([...drilled].sort());
    console.log(`level 4: ${drilled.join(", ")}`);
  });

  it("shows each with its last run, next run, newest point and proof, and wants nothing more", async () => {
    const status = await holdfast(["status", "--format", "json", ...shared], { env });
    const { policies } = JSON.parse(status.stdout);
    expect(policies.map((p: { policy: string }) => p.policy).sort()).toEqual([...names].sort());
    for (const { policy, newest, proven, captures } of policies) {
      expect([policy, newest?.id]).toEqual([policy, expect.any(String)]);
      if (policy === "models") expect([policy, captures]).toEqual([policy, { running: true }]);
      else expect(captures).toMatchObject({ last: { outcome: "succeeded" }, nextAt: expect.any(String) });
      if (!["clickhouse", "models"].includes(policy)) expect([policy, proven?.level]).toEqual([policy, 4]);
    }
    const text = await holdfast(["status", ...shared], { env });
    for (const name of names)
      expect(text.stdout).toMatch(new RegExp(`^${name} .* (ago, succeeded|all the time)`, "m"));
    const plan = await holdfast(["plan", "--format", "json", ...shared], { env });
    expect(JSON.parse(plan.stdout)).toMatchObject({ actions: [], refusals: [] });
  });

  it("gives runs an account of the cluster only where they need one", async () => {
    for (const { metadata, spec } of await list<Pod>("Pod", jobLabel)) {
      const job = metadata.labels?.[jobLabel];
      const wanted =
        metadata.namespace === drills
          ? "holdfast-drill"
          : job === "kubernetes--capture"
            ? "holdfast-velero-capture"
            : job === "kubernetes--verify-4"
              ? "holdfast-velero-drill"
              : "holdfast-run";
      expect([job, spec.serviceAccountName]).toEqual([job, wanted]);
    }
  });

  it("has asked the API server for nothing that was refused, and has used what was granted", async () => {
    const asked = askedBy(stack.cluster.auditLog, [namespace, drills]);
    expect(asked.filter((a) => a.status === 403)).toEqual([]);
    expect(asked.filter((a) => ["holdfast-run", "holdfast-drill"].includes(a.account))).toEqual([]);
    expect(needs.accounts.length).toBeGreaterThan(0);
    for (const { name, rights } of needs.accounts) {
      const account = name === undefined ? reconcilerName : serviceAccountName({ account: name });
      const left = unused(
        rights,
        asked.filter((a) => a.account === account),
      );
      expect([account, left.filter((right) => !isForBadDays(right))]).toEqual([account, []]);
    }
  });

  it("drills in a namespace of their own, with what reads the store and writes verdicts and nothing else", async () => {
    const pods = await listIn<Pod>(drills, "Pod", jobLabel);
    const drilled = pods.map((p) => p.metadata.labels?.[jobLabel]).filter((j) => j?.endsWith("--verify-4"));
    expect(drilled).toEqual(expect.arrayContaining(["postgresql--verify-4", "redis--verify-4"]));
    expect(drilled).not.toContain("kubernetes--verify-4");
    const ours = ["HOLDFAST_RUN", "HOLDFAST_RESULT", "HOME"];
    for (const { spec } of pods) {
      const [{ env: variablesOfPod, envFrom }] = spec.containers;
      expect(envFrom).toBeUndefined();
      const named = variablesOfPod.map((v) => v.name).filter((name) => !ours.includes(name));
      expect(named.sort()).toEqual(Object.keys(drillSecrets).sort());
      expect(spec.volumes.map((v) => v.name).sort()).toEqual(["identity", "policies", "state", "tmp"]);
    }
  });

  it("can neither write a backup nor take one away with what a drill has", async () => {
    const { endpoint, vault } = stack.stores ?? { endpoint: "", vault: "" };
    for (const { id, secret: value } of [reader, prover]) {
      const store = openS3Store(s3Settings(endpoint, vault), "write", {
        accessKeyId: id,
        secretAccessKey: value,
      });
      await expect(store.put("redis/manifests/x.json", Buffer.from("{}"))).rejects.toMatchObject({
        code: "store-denied",
      });
      const [point] = await points();
      const verdicts: string[] = [];
      if (id === reader.id)
        for await (const { key } of store.list(`${point?.policy}/verdicts/`)) verdicts.push(key);
      await expect(
        store.remove([verdicts[0] ?? "redis/verdicts/x.json", "redis/holdfast.json"]),
      ).rejects.toMatchObject({ code: "store-denied" });
      await store.close();
    }
  });

  describeClusterNetwork(() => ({ admin, stack, image, points, repositoryUrl: daemon.url("policies.git") }));
});

/** Mending what somebody has changed; and taking away what Velero and the cluster did not take away themselves. */
function isForBadDays(right: string): boolean {
  return /^velero.io\/((backupstoragelocations|schedules|restores) patch|podvolumebackups (get|patch|delete))$/.test(
    right,
  );
}

function storeKeys(use: string, user: { readonly id: string; readonly secret: string }) {
  const { id, secret } = variables.store(use);
  return { [id]: user.id, [secret]: user.secret };
}

function runOf(policy: string): string {
  return `${policy}--verify-4-${Date.parse(day) / 60_000}`;
}
