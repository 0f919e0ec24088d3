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
import { accountsOf } from "../../src/cli/verbs/install.ts";
import { readPolicies } from "../../src/cli/wire.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { type KubeClient, openKubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import { installObjects } from "../../src/platform/kubernetes/objects/install.ts";
import { jobLabel } from "../../src/platform/kubernetes/objects/names.ts";
import { stateConfigMap, usualSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import type { KubeJob, KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";
import { systemClock } from "../../src/time/clock.ts";
import { pushClusterPolicies, variables } from "../servers/cluster-policies.ts";
import { ferretProgram } from "../servers/ferretdb.ts";
import { type GitDaemon, startGitDaemon } from "../servers/git-daemon.ts";
import { makeHoldfastImage } from "../servers/holdfast-image.ts";
import { hostOfPods } from "../servers/kubernetes.ts";
import { applyAll } from "../servers/kubernetes-objects.ts";
import { minioUser } from "../servers/minio.ts";
import { whyNoVelero } from "../servers/velero.ts";
import { until } from "../servers/waiting.ts";
import {
  clickhousePassword,
  minioPassword,
  startWholeStack,
  type WholeStack,
} from "../servers/whole-stack.ts";
import { holdfast } from "./holdfast.ts";

const image = "docker.io/local/holdfast:1";
const { namespace } = usualSettings;
const day = "2026-11-20T02:00:00.000Z";
const runLimitMs = 240_000;
const isThere = whyNoVelero("node") === undefined && ferretProgram() !== undefined;

/** The part of a pod's status that is asked for. */
interface Pod extends KubeObject {
  readonly spec: { readonly serviceAccountName: string };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
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
  let push: () => Promise<string>;
  let names: readonly string[] = [];

  beforeAll(async () => {
    chmodSync(folder, 0o711);
    stack = await startWholeStack();
    const { cluster, stores, programs } = stack;
    if (stores === undefined) throw new Error("there is no MinIO");
    admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    const { bao, minio, ferretdb } = programs;
    cluster.importImage(
      makeHoldfastImage(join(folder, "image"), image, {
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
    push = () =>
      pushClusterPolicies(
        {
          clone,
          remote: repository,
          runner: runner.recipient,
          escrow: escrow.recipient,
          uses: ["write", "read", "delete"],
        },
        stack.sources,
        stores,
      );
    const secrets = {
      ...storeKeys(),
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
    await secret("holdfast-environment", secrets);
    await secret("holdfast-identity", { identity: `${runner.identity}\n` });
  });
  afterAll(async () => {
    admin?.close();
    await daemon?.stop();
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function storeKeys(): Readonly<Record<string, string>> {
    const uses = ["WRITE", "READ", "DELETE"].map((use) => variables.store(use));
    return Object.fromEntries(
      uses.flatMap(({ id, secret: value }) => [
        [id, minioUser],
        [value, minioPassword],
      ]),
    );
  }
  function objects(accounts: Awaited<ReturnType<typeof accountsOf>> = []): readonly KubeObject[] {
    return installObjects({
      ...usualSettings,
      image,
      repositoryUrl: daemon.url("policies.git"),
      accounts,
    });
  }
  async function secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { name, namespace };
    await applyAll(admin, [{ apiVersion: "v1", kind: "Secret", metadata, stringData }]);
  }
  const list = async <T extends KubeObject>(
    kind: "Job" | "Pod" | "CronJob",
    labelSelector = "",
  ): Promise<readonly T[]> =>
    (
      await admin.request<{ items: readonly T[] }>("GET", pathOf(kind, namespace), {
        query: { labelSelector },
      })
    ).items;
  const reconcilers = () => list<Pod>("Pod", "app.kubernetes.io/component=reconciler");
  const isReady = (pod: Pod): boolean =>
    pod.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false;
  const points = async (): Promise<readonly { readonly policy: string; readonly proof: number }[]> =>
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
    const commit = await push();
    const { set } = await readPolicies({ policies: join(clone, "policies") });
    names = set.policies.map((p) => p.name);
    // What the policies' runs need in the cluster, as `holdfast install --policies` prints it.
    await applyAll(admin, objects(await accountsOf(set)));
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
    await until(async () => (await applied()) === commit, 120_000);
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
      const holder = await admin.request<{ spec: { jobTemplate: { metadata: object; spec: object } } }>(
        "GET",
        `${pathOf("CronJob", namespace)}/${policy}--verify-4`,
      );
      const { metadata, spec } = holder.spec.jobTemplate;
      const name = runOf(policy);
      await admin.request("POST", pathOf("Job", namespace), {
        body: { apiVersion: "batch/v1", kind: "Job", metadata: { ...metadata, name }, spec },
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
    const pods = await list<Pod>("Pod", jobLabel);
    const accounts = new Map(pods.map((p) => [p.metadata.labels?.[jobLabel], p.spec.serviceAccountName]));
    for (const [job, account] of accounts) {
      const wanted =
        job === "kubernetes--capture"
          ? "holdfast-velero-capture"
          : job === "kubernetes--verify-4"
            ? "holdfast-velero-drill"
            : "holdfast-run";
      expect([job, account]).toEqual([job, wanted]);
    }
  });
});

function runOf(policy: string): string {
  return `${policy}--verify-4-${Date.parse(day) / 60_000}`;
}
