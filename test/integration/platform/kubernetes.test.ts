/** The platform on a real API server with its controllers: what it writes, and what it must never write. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPolicyPaths, readSchemas } from "../../../src/cli/policy-files.ts";
import { accountsOf, needsOf } from "../../../src/cli/verbs/install.ts";
import { componentKinds } from "../../../src/component.ts";
import { silent } from "../../../src/log.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import { type KubeClient, openKubeClient } from "../../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../../src/platform/kubernetes/holders.ts";
import { lead } from "../../../src/platform/kubernetes/lease.ts";
import {
  drillRules,
  installObjects,
  leaseName,
  reconcilerRules,
} from "../../../src/platform/kubernetes/objects/install.ts";
import { objectName, ourSelector } from "../../../src/platform/kubernetes/objects/names.ts";
import {
  drillerName,
  drillNamespace,
  type ObjectSettings,
  policiesConfigMap,
  reconcilerName,
  runnerName,
  serviceAccountName,
  stateConfigMap,
  usualSettings,
} from "../../../src/platform/kubernetes/objects/settings.ts";
import type { KubeObject } from "../../../src/platform/kubernetes/objects/shapes.ts";
import type { PolicySet } from "../../../src/policy/model.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import type { ClusterRight } from "../../../src/state/cluster-account.ts";
import type { Job } from "../../../src/state/job.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { seed } from "../../seed.ts";
import { type Cluster, startCluster, whyNoCluster } from "../../servers/kubernetes.ts";
import { applyAll, tokenOf } from "../../servers/kubernetes-objects.ts";
import { isGranted, mayDo, namesToAsk, resources, verbs } from "../../servers/kubernetes-rights.ts";
import { type Asked, isWrite, planJobs, platformOf, turn, watched } from "../../servers/kubernetes-turns.ts";
import { until } from "../../servers/waiting.ts";

const policiesFolder = new URL("../../../policies", import.meta.url).pathname;

describe.skipIf(whyNoCluster() !== undefined)("the Kubernetes platform", () => {
  let cluster: Cluster;
  let admin: KubeClient;
  let strategy: PolicySet;
  let count = 0;
  beforeAll(async () => {
    console.log(`HOLDFAST_SEED=${seed}`);
    cluster = await startCluster("control");
    admin = openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
    strategy = readPolicySet(await readPolicyPaths([policiesFolder]), await readSchemas()).set;
    const velero = { apiVersion: "v1", kind: "Namespace", metadata: { name: "velero" } };
    await applyAll(admin, [velero]);
  });
  afterAll(async () => {
    admin?.close();
    await cluster?.stop();
  });

  /** A namespace of its own with everything but the reconciler's pods. */
  async function place(): Promise<ObjectSettings> {
    count += 1;
    const settings = { ...usualSettings, namespace: `place-${count}` };
    await applyAll(admin, await objectsOf(settings), (o) => o.kind !== "Deployment");
    return settings;
  }
  async function objectsOf(settings: ObjectSettings): Promise<readonly KubeObject[]> {
    const repositoryUrl = "https://git.example.org/x.git";
    return installObjects({ ...settings, repositoryUrl, ...(await needsOf(strategy)) });
  }
  const client = () => openKubeClient(systemClock, { kubeconfig: cluster.kubeconfig });
  const list = async (kind: "CronJob" | "Deployment" | "Job", namespace: string, labelSelector = "") =>
    (
      await admin.request<{ items: readonly KubeObject[] }>("GET", pathOf(kind, namespace), {
        query: { labelSelector },
      })
    ).items;
  const keysOf = (set: PolicySet) =>
    desiredJobs(set, componentKinds)
      .jobs.map((j) => objectName(j.key))
      .sort();
  const heldIn = async (namespace: string) =>
    [
      ...(await list("CronJob", namespace, ourSelector)),
      ...(await list("CronJob", drillNamespace({ namespace }), ourSelector)),
      ...(await list("Deployment", namespace, ourSelector)),
    ]
      .map((o) => o.metadata.name)
      .sort();

  it("holds the whole strategy, and a second turn changes nothing", async () => {
    const settings = await place();
    const platform = platformOf(client(), settings);
    const done = await turn(platform, strategy, "r1");
    expect(done).toBe(keysOf(strategy).length);
    expect(await heldIn(settings.namespace)).toEqual(keysOf(strategy));
    const before = (await list("CronJob", settings.namespace)).map((o) => o.metadata.resourceVersion);
    expect(await turn(platform, strategy, "r1")).toBe(0);
    expect((await list("CronJob", settings.namespace)).map((o) => o.metadata.resourceVersion)).toEqual(
      before,
    );
    const daily = (await list("CronJob", settings.namespace)).find(
      (o) => o.metadata.name === "postgresql--capture",
    );
    expect(daily).toMatchObject({
      spec: { schedule: "0 2 * * *", timeZone: "Etc/UTC", concurrencyPolicy: "Forbid" },
    });
    await platform.stop(0);
  });

  it("tells each change by hand with its field and its author, and mends it", async () => {
    const settings = await place();
    const platform = platformOf(client(), settings);
    await turn(platform, strategy, "r1");
    const path = `${pathOf("CronJob", settings.namespace)}/postgresql--capture`;
    await admin.request("PATCH", path, {
      contentType: "application/strategic-merge-patch+json",
      query: { fieldManager: "kubectl-edit" },
      body: {
        spec: {
          schedule: "0 5 * * *",
          jobTemplate: {
            spec: {
              template: { spec: { containers: [{ name: "holdfast", env: [{ name: "X", value: "1" }] }] } },
            },
          },
        },
      },
    });
    const [action] = await planJobs(platform, strategy, "r1");
    expect(action).toMatchObject({ kind: "update-job" });
    expect(action?.reason).toContain(
      `spec.schedule is "0 5 * * *", not "0 2 * * *"; changed by 'kubectl-edit'`,
    );
    expect(action?.reason).toContain("env.X");
    expect(await turn(platform, strategy, "r1")).toBe(1);
    expect(await planJobs(platform, strategy, "r1")).toEqual([]);
    const mended = await admin.request<KubeObject>("GET", path);
    expect(JSON.stringify(mended["spec"])).not.toContain('"X"');
    await platform.stop(0);
  });

  it("moves a drill when its store gets credentials for it, and takes away what is twice", async () => {
    const settings = await place();
    const drills = drillNamespace(settings);
    const platform = platformOf(client(), settings);
    const without: PolicySet = {
      ...strategy,
      stores: strategy.stores.map(({ credentials: { verdict: _, ...credentials }, ...store }) => ({
        ...store,
        credentials,
      })),
    };
    const proofs = async (namespace: string): Promise<readonly string[]> =>
      (await list("CronJob", namespace))
        // One that leaves its runs behind stays for a moment.
        .filter((o) => o.metadata.deletionTimestamp === undefined)
        .map((o) => o.metadata.name)
        .filter((n) => n.includes("--verify-"));
    await turn(platform, without, "r1");
    expect(await proofs(drills)).toEqual([]);
    expect(await proofs(settings.namespace)).toContain("redis--verify-4");
    await turn(platform, strategy, "r2");
    expect(await proofs(settings.namespace)).toEqual([
      "holdfast--verify-6",
      "kubernetes--verify-4",
      "kubernetes--verify-5",
    ]);
    expect(await proofs(drills)).toContain("redis--verify-4");
    expect(await planJobs(platform, strategy, "r2")).toEqual([]);
    // Somebody has put one of them back where it was.
    const moved = await admin.request<KubeObject>("GET", `${pathOf("CronJob", drills)}/redis--verify-4`);
    const { name, labels, annotations } = moved.metadata;
    const { namespace } = settings;
    const metadata = { name, namespace, labels: labels ?? {}, annotations: annotations ?? {} };
    const old = (): Promise<boolean> =>
      admin.request("GET", `${pathOf("CronJob", namespace)}/${name}`).then(
        () => false,
        () => true,
      );
    await until(old);
    await applyAll(admin, [{ ...moved, metadata, status: undefined }]);
    const [action] = await planJobs(platform, strategy, "r2");
    expect(action?.reason).toContain(`there is a CronJob of it in namespace '${namespace}'`);
    expect(await turn(platform, strategy, "r2")).toBe(1);
    expect(await proofs(namespace)).not.toContain(name);
    expect(await proofs(drills)).toContain(name);
    // Its runs are where it is, and one slot is one run.
    expect(await platform.startRun("redis/verify-4", "2026-11-20T02:00:00.000Z")).toBe("started");
    expect(await platform.startRun("redis/verify-4", "2026-11-20T02:00:00.000Z")).toBe("already");
    expect((await list("Job", drills)).map((o) => o.metadata.name)).toEqual([
      `redis--verify-4-${Date.parse("2026-11-20T02:00:00.000Z") / 60_000}`,
    ]);
    await platform.stop(0);
  });

  it("leaves what is not ours alone, whatever its name", async () => {
    const settings = await place();
    const foreign = {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "postgresql--capture", namespace: settings.namespace },
      spec: {
        schedule: "1 1 * * *",
        jobTemplate: {
          spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "x", image: "x" }] } } },
        },
      },
    };
    await applyAll(admin, [foreign]);
    const platform = platformOf(client(), settings);
    const job = desiredJobs(strategy, componentKinds).jobs.find((j) => j.key === "postgresql/capture") as Job;
    await expect(platform.putJob(job, "r1")).rejects.toMatchObject({ code: "guard-refused" });
    await expect(platform.removeJob(job.key)).resolves.toBeUndefined();
    expect(await list("CronJob", settings.namespace)).toMatchObject([{ spec: { schedule: "1 1 * * *" } }]);
    await platform.stop(0);
  });

  it("converges after a crash behind every single write of a turn, and before it", async () => {
    const small: PolicySet = { ...strategy, policies: strategy.policies.slice(0, 2) };
    const next: PolicySet = {
      ...small,
      policies: small.policies
        .map((p, n) => (n === 0 ? { ...p, deadlineMs: p.deadlineMs + 60_000 } : p))
        .slice(0, 1),
    };
    let crashes = 0;
    for (const when of ["before", "after"] as const) {
      const settings = await place();
      const { namespace } = settings;
      const metadata = { name: "bystander", namespace };
      await applyAll(admin, [{ apiVersion: "v1", kind: "ServiceAccount", metadata }]);
      for (const [set, revision] of [
        [small, "r1"],
        [next, "r2"],
      ] as const) {
        for (let at = 1; ; at += 1) {
          let writes = 0;
          const hook = (asked: Asked) => {
            if (!isWrite(asked)) return;
            writes += 1;
            // Each attempt gets one write further than the one before it, from what that one has left behind.
            if (writes === 2 || (writes === 1 && at % 2 === 1)) throw new Error("crashed");
          };
          const platform = platformOf(
            watched(client(), when === "before" ? { before: hook } : { after: hook }),
            settings,
          );
          const ended = await turn(platform, set, revision).then(
            () => true,
            (error: Error) => {
              expect(error.message).toBe("crashed");
              return false;
            },
          );
          await platform.stop(0);
          if (ended || at > 60) {
            expect(ended || when === "after" || when === "before").toBe(true);
            break;
          }
          crashes += 1;
          const names = await heldIn(settings.namespace);
          expect(new Set(names).size).toBe(names.length);
          if (at > 40) break;
        }
        const whole = platformOf(client(), settings);
        await turn(whole, set, revision);
        expect(await planJobs(whole, set, revision)).toEqual([]);
        await whole.stop(0);
      }
      await until(async () => (await heldIn(settings.namespace)).join() === keysOf(next).join());
      expect(
        await admin.request("GET", `/api/v1/namespaces/${settings.namespace}/serviceaccounts/bystander`),
      ).toBeDefined();
    }
    console.log(`${crashes} crashes`);
    expect(crashes).toBeGreaterThan(20);
  });

  it("does not act on what it saw before somebody else's change", async () => {
    const settings = await place();
    const early = platformOf(client(), settings);
    await turn(early, strategy, "r1");
    const jobs = (await early.observe()).jobs.map((j) => j.job);
    const capture = jobs.find((j) => j.key === "postgresql/capture") as Job;
    // The other reconciler has a newer revision by now.
    const other = platformOf(client(), settings);
    await other.observe();
    await other.putJob({ ...capture, deadlineMs: 1000 }, "r2");
    await expect(early.putJob(capture, "r1")).rejects.toMatchObject({ code: "plan-stale" });
    await expect(early.removeJob(capture.key)).rejects.toMatchObject({ code: "plan-stale" });
    const seen = (await other.observe()).jobs.find((j) => j.job.key === capture.key);
    expect(seen).toMatchObject({ revision: "r2", job: { deadlineMs: 1000 } });
    await early.stop(0);
    await other.stop(0);
  });

  it("finds its way back after missed events, a cut watch and 410", async () => {
    const settings = await place();
    let isDeaf = false;
    let gone = 0;
    const deaf = watched(client(), { onEvent: () => !isDeaf });
    const platform = platformOf(
      {
        ...deaf,
        watch: async (path, query, onLine, signal) => {
          const cut = new AbortController();
          const timer = setTimeout(() => cut.abort(), 400);
          try {
            await deaf.watch(path, query, onLine, AbortSignal.any([signal, cut.signal]));
          } catch (error) {
            if (signal.aborted || !isDeaf) return;
            gone += 1;
            // What was missed is compacted away: version 1 is long gone or far too old.
            onLine({ type: "ERROR", object: { code: 410, metadata: {} } });
            throw error;
          } finally {
            clearTimeout(timer);
          }
        },
      },
      settings,
    );
    await platform.start();
    await turn(platform, strategy, "r1");
    isDeaf = true;
    await admin.request("DELETE", `${pathOf("CronJob", settings.namespace)}/postgresql--prune`);
    await until(() => gone > 2);
    isDeaf = false;
    await until(async () => (await planJobs(platform, strategy, "r1")).length === 1);
    expect(await turn(platform, strategy, "r1")).toBe(1);
    expect(await heldIn(settings.namespace)).toEqual(keysOf(strategy));
    await platform.stop(0);
  });

  it("keeps two reconcilers harmless over 50 rounds of a lease that is lost in the middle of a turn", async () => {
    const settings = await place();
    const { namespace } = settings;
    const small: PolicySet = {
      ...strategy,
      policies: strategy.policies.filter((p) => p.name === "postgresql"),
    };
    let deletes = 0;
    let stale = 0;
    const lease = (holder: string, one: KubeClient) =>
      lead(
        { client: one, clock: systemClock, log: silent, namespace, holder, durationMs: 1000 },
        AbortSignal.timeout(60_000),
      );
    for (let round = 0; round < 50; round += 1) {
      const set = (n: number): PolicySet => ({
        ...small,
        policies: small.policies.map((p) => ({ ...p, deadlineMs: 60_000 * (1000 + n) })),
      });
      const [first, second] = [client(), client()];
      const leads = await lease(`first-${round}`, first);
      let writes = 0;
      const stopAt = 1 + ((seed + round) % 9);
      let goOn = (): void => {};
      const paused = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let hasPaused = (): void => {};
      const isPaused = new Promise<void>((resolve) => {
        hasPaused = resolve;
      });
      const slow = watched(first, {
        before: async (asked) => {
          if (asked.method === "DELETE") deletes += 1;
          if (!isWrite(asked) || ++writes !== stopAt) return;
          hasPaused();
          await paused;
        },
      });
      const late = platformOf(slow, settings, async () => Buffer.from(`r${2 * round}`));
      const lateTurn = turn(late, set(2 * round), `r${2 * round}`).catch(
        (error: { code: string; message: string }) => {
          expect(`${error.code}: ${error.message}`).toMatch(/^plan-stale: /);
          stale += 1;
        },
      );
      await Promise.race([isPaused, lateTurn]);
      // It sleeps in the middle of its turn; the next one takes over and does the whole of a newer revision.
      await leads.release();
      const nextLeads = await lease(`second-${round}`, second);
      const next = platformOf(second, settings, async () => Buffer.from(`r${2 * round + 1}`));
      await turn(next, set(2 * round + 1), `r${2 * round + 1}`);
      goOn();
      await lateTurn;
      const { jobs, revision } = await next.observe();
      expect(revision).toBe(`r${2 * round + 1}`);
      const published = await admin.request<{ binaryData: { bundle: string } }>(
        "GET",
        `/api/v1/namespaces/${namespace}/configmaps/${policiesConfigMap}`,
      );
      expect(Buffer.from(published.binaryData.bundle, "base64").toString()).toBe(revision);
      expect(jobs.map((j) => objectName(j.job.key)).sort()).toEqual(
        keysOf(small).filter((k) => jobs.some((j) => objectName(j.job.key) === k)),
      );
      expect(jobs.length).toBe(keysOf(small).length);
      expect(jobs.find((j) => j.job.key === "postgresql/capture")?.job.deadlineMs).toBe(
        60_000 * (1001 + 2 * round),
      );
      await nextLeads.release();
      await late.stop(0);
      await next.stop(0);
    }
    console.log(`50 rounds, ${stale} late turns refused, ${deletes} deletes`);
    expect(deletes).toBe(0);
  });

  it("gives the lease to one at a time, and to the other when its holder is gone", async () => {
    const { namespace } = await place();
    // Long enough that an API server which stands still for a moment costs nobody the lease.
    const durationMs = 8000;
    const options = { client: client(), clock: systemClock, log: silent, namespace, durationMs };
    const first = await lead({ ...options, holder: "a" }, AbortSignal.timeout(20_000));
    let hasSecond = false;
    const second = lead({ ...options, holder: "b" }, AbortSignal.timeout(60_000)).then((l) => {
      hasSecond = true;
      return l;
    });
    await new Promise((resolve) => setTimeout(resolve, durationMs * 1.25));
    expect(hasSecond).toBe(false);
    expect(first.lost.aborted).toBe(false);
    // Somebody takes it away: the first must know, and the thief is waited for.
    const path = `${pathOf("Lease", namespace)}/${leaseName}`;
    await admin.request("PATCH", path, {
      contentType: "application/merge-patch+json",
      body: { spec: { holderIdentity: "thief", leaseDurationSeconds: 1 } },
    });
    await until(() => first.lost.aborted);
    await (await second).release();
    options.client.close();
  });

  /** Whether each account may do exactly what it was granted: of every kind, verb and place, with and without a name. */
  async function questionsOfRights(
    namespace: string,
    as: (name: string) => Promise<KubeClient>,
  ): Promise<{ readonly count: number; readonly wrong: readonly string[] }> {
    const accounts = await accountsOf(strategy);
    const drills = drillNamespace({ namespace });
    const own = [
      ...reconcilerRules.map((rule): ClusterRight => ({ namespace, ...rule })),
      ...drillRules.map((rule): ClusterRight => ({ namespace: drills, ...rule })),
    ];
    const granted = new Map<string, readonly ClusterRight[]>([
      [reconcilerName, [...own, ...accounts.filter((a) => a.name === undefined).flatMap((a) => a.rights)]],
      [runnerName, []],
      [drillerName, []],
      ...accounts.flatMap(({ name, rights }): [string, readonly ClusterRight[]][] =>
        name === undefined ? [] : [[serviceAccountName({ account: name }), rights]],
      ),
    ]);
    const questions = [...granted].flatMap(([account, rights]) =>
      [namespace, drills, "velero", "kube-system"].flatMap((place) =>
        Object.entries(resources).flatMap(([group, names]) =>
          names.flatMap((kind) =>
            verbs.flatMap((verb) =>
              namesToAsk(rights, kind).map((name) => ({
                account,
                rights,
                question: { namespace: place, group, kind, verb, name },
              })),
            ),
          ),
        ),
      ),
    );
    const clients = new Map<string, KubeClient>();
    for (const account of granted.keys()) clients.set(account, await as(account));
    const wrong: string[] = [];
    const queue = questions.values();
    const worker = async (): Promise<void> => {
      for (const { account, rights, question } of queue) {
        const client = clients.get(account) as KubeClient;
        if ((await mayDo(client, question)) !== isGranted(rights, question))
          wrong.push(`${account} ${JSON.stringify(question)}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    for (const client of clients.values()) client.close();
    return { count: questions.length, wrong };
  }

  it("grants the reconciler what it needs and not one verb more, and a run nothing", async () => {
    const settings = await place();
    const { namespace } = settings;
    const as = async (name: string) => {
      const home = name === drillerName ? drillNamespace({ namespace }) : namespace;
      const token = await tokenOf(admin, home, name);
      return openKubeClient(systemClock, { kubeconfig: cluster.kubeconfigFor(token, home) });
    };
    const reconciler = await as(reconcilerName);
    const platform = platformOf(reconciler, settings);
    await platform.start();
    await turn(platform, strategy, "r1");
    expect(await platform.startRun("postgresql/capture", "2026-11-20T02:00:00.000Z")).toBe("started");
    expect(await platform.startRun("postgresql/capture", "2026-11-20T02:00:00.000Z")).toBe("already");
    await platform.removeJob("postgresql/prune");
    await (
      await lead(
        { client: reconciler, clock: systemClock, log: silent, namespace, holder: "a" },
        AbortSignal.timeout(9000),
      )
    ).release();
    expect((await platform.observe()).revision).toBe("r1");

    const asked = await questionsOfRights(namespace, (name) => as(name));
    expect(asked.wrong).toEqual([]);
    await expect(reconciler.request("GET", `/api/v1/namespaces/${namespace}/secrets`)).rejects.toMatchObject({
      status: 403,
    });
    await expect(
      reconciler.request("GET", `/api/v1/namespaces/${namespace}/configmaps/kube-root-ca.crt`),
    ).rejects.toMatchObject({ status: 403, code: "platform-denied" });
    console.log(`${asked.count} questions of rights`);
    await platform.stop(0);
  });

  it("keeps 1,000 policies: a quiet turn lists nothing and takes no memory", async () => {
    const settings = await place();
    const some = strategy.policies.find((p) => p.name === "redis") ?? strategy.policies[0];
    const jobs = Array.from(
      { length: 1000 },
      (_, n): Job => ({
        key: `p-${n}/capture`,
        policy: `p-${n}`,
        kind: "capture",
        schedule: { kind: "cron", cron: `${n % 60} ${n % 24} * * *`, timeZone: "Etc/UTC" },
        argv: ["backup", `p-${n}`],
        deadlineMs: some?.deadlineMs ?? 60_000,
        suspended: false,
        group: `p-${n}`,
      }),
    );
    const asked: Asked[] = [];
    const platform = platformOf(watched(client(), { before: (one) => void asked.push(one) }), settings);
    await platform.start();
    const startedAtMs = Date.now();
    for (const job of jobs) await platform.putJob(job, "r1");
    const applyMs = Date.now() - startedAtMs;
    await until(async () => (await platform.observe()).jobs.length === 1000);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heap: number[] = [];
    asked.length = 0;
    const quietAtMs = Date.now();
    for (let n = 0; n < 10; n += 1) {
      expect((await platform.observe()).jobs.every((j) => j.ours)).toBe(true);
      collect();
      heap.push(process.memoryUsage().heapUsed);
    }
    const quietMs = (Date.now() - quietAtMs) / 10;
    expect(asked.filter((a) => a.isList)).toEqual([]);
    expect(asked.map((a) => a.path.split("/").at(-1))).toEqual(Array(10).fill(stateConfigMap));
    const grownBytes = (heap.at(-1) ?? 0) - (heap[1] ?? 0);
    console.log(
      `1,000 jobs applied in ${applyMs} ms; a quiet look takes ${quietMs.toFixed(0)} ms; heap grew by ${grownBytes} bytes`,
    );
    expect(grownBytes).toBeLessThan(4 * 2 ** 20);
    await platform.stop(0);
  });

  it("leaves nothing of ours behind when it is deleted by its label", async () => {
    const settings = await place();
    const { namespace } = settings;
    await applyAll(admin, await objectsOf(settings));
    const platform = platformOf(client(), settings);
    await turn(platform, strategy, "r1");
    await platform.startRun("postgresql/capture", "2026-11-20T02:00:00.000Z");
    await (
      await lead(
        { client: admin, clock: systemClock, log: silent, namespace, holder: "a" },
        AbortSignal.timeout(9000),
      )
    ).release();
    await admin.request("PATCH", `/api/v1/namespaces/${namespace}/configmaps/theirs`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "somebody" },
      body: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "theirs", namespace },
        data: { a: "b" },
      },
    });
    const namespaces = [namespace, drillNamespace(settings)];
    const collections = [
      ...[
        "apps/v1/*/deployments",
        "batch/v1/*/cronjobs",
        "batch/v1/*/jobs",
        "coordination.k8s.io/v1/*/leases",
      ],
      ...[
        "rbac.authorization.k8s.io/v1/*/roles",
        "rbac.authorization.k8s.io/v1/*/rolebindings",
        "networking.k8s.io/v1/*/networkpolicies",
      ],
    ].flatMap((c) => namespaces.map((n) => `/apis/${c.replace("*", `namespaces/${n}`)}`));
    collections.push(
      ...["configmaps", "serviceaccounts", "pods"].flatMap((c) =>
        namespaces.map((n) => `/api/v1/namespaces/${n}/${c}`),
      ),
    );
    for (const path of collections) {
      await admin.request("DELETE", path, {
        query: { labelSelector: ourSelector, propagationPolicy: "Background" },
      });
    }
    // What runs may do elsewhere is named after the installation: others have accounts of their own.
    const elsewhere = [
      "clusterroles",
      "clusterrolebindings",
      "namespaces/velero/roles",
      "namespaces/velero/rolebindings",
    ].map((c) => `/apis/rbac.authorization.k8s.io/v1/${c}`);
    for (const path of elsewhere)
      for (const name of [reconcilerName, "holdfast-velero-capture", "holdfast-velero-drill"])
        await admin.request("DELETE", `${path}/${namespace}:${name}`);
    for (const path of elsewhere) {
      const found = await admin.request<{ items: readonly KubeObject[] }>("GET", path);
      expect(found.items.filter((i) => i.metadata.name.startsWith(`${namespace}:`))).toEqual([]);
    }
    const left = async (): Promise<readonly string[]> => {
      const names: string[] = [];
      for (const path of collections) {
        const found = await admin.request<{ items: readonly KubeObject[] }>("GET", path);
        names.push(...found.items.map((i) => `${path.split("/").at(-1)}/${i.metadata.name}`));
      }
      return names.filter((n) => !["configmaps/kube-root-ca.crt", "serviceaccounts/default"].includes(n));
    };
    await until(async () => (await left()).join() === "configmaps/theirs");
    await platform.stop(0);
  });
});
