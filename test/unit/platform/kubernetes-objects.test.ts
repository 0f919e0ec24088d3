/** The objects of a job and of an installation, without a cluster in sight. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { parseSlot } from "../../../src/cli/options.ts";
import { readPolicyPaths, readSchemas } from "../../../src/cli/policy-files.ts";
import { accountsOf, installYaml, needsOf } from "../../../src/cli/verbs/install.ts";
import { type ComponentKind, componentFacts, componentKinds } from "../../../src/component.ts";
import { loadEngine } from "../../../src/engine/engines.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import { describeDrift, driftOf } from "../../../src/platform/kubernetes/objects/drift.ts";
import {
  drillNetworkPolicy,
  type StoreEndpoint,
} from "../../../src/platform/kubernetes/objects/drill-network.ts";
import { installObjects } from "../../../src/platform/kubernetes/objects/install.ts";
import { jobObject, runObject } from "../../../src/platform/kubernetes/objects/job-objects.ts";
import { objectName, runName, slotOfRunName } from "../../../src/platform/kubernetes/objects/names.ts";
import { usualSettings } from "../../../src/platform/kubernetes/objects/settings.ts";
import type { KubeObject } from "../../../src/platform/kubernetes/objects/shapes.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import type { Job } from "../../../src/state/job.ts";
import { type Destination, letsIn, letsOut, selects } from "../../servers/network-policy.ts";

const job: Job = {
  key: "postgresql/capture",
  policy: "postgresql",
  kind: "capture",
  schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Europe/Berlin" },
  argv: ["backup", "postgresql"],
  deadlineMs: 3_600_000,
  suspended: false,
  group: "postgresql",
};
const built = () => jobObject(job, "r1", usualSettings);
const copy = (object: KubeObject) =>
  structuredClone(object) as unknown as { spec: Record<string, never> } & KubeObject;

describe("names", () => {
  it("are labels of at most 52 characters and never shared by two keys", () => {
    const key = fc.string({ unit: fc.constantFrom(..."ab-/A_."), minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(objectName(one)).toMatch(/^[a-z0-9-]{1,52}$/);
        if (one !== other) expect(objectName(one)).not.toBe(objectName(other));
      }),
    );
    for (const [one, other] of [
      ["aaaa/a", "aaaa--a"],
      ["a-/b", "a/-b"],
      ["a/b-/c", "a/b/-c"],
    ] as const)
      expect(objectName(one)).not.toBe(objectName(other));
  });

  it("of runs carry the slot, as the CronJob controller writes it", () => {
    const slotAt = "2026-11-20T02:00:00.000Z";
    const name = runName("postgresql/capture", slotAt);
    expect(name).toBe(`postgresql--capture-${Date.parse(slotAt) / 60_000}`);
    expect(slotOfRunName(name)).toBe(slotAt);
    expect(parseSlot(name)).toBe(Date.parse(slotAt));
    const odd = instant(Date.parse(slotAt) + 7000);
    expect(slotOfRunName(runName("postgresql/capture", odd))).toBe(odd);
  });
});

describe("a job's object", () => {
  it("keeps time zone, order and deadlines, and gives a pod no rights and no secret's value", () => {
    const object = built() as unknown as Record<string, never>;
    expect(object).toMatchObject({
      kind: "CronJob",
      spec: {
        schedule: "0 2 * * *",
        timeZone: "Europe/Berlin",
        concurrencyPolicy: "Forbid",
        suspend: false,
        startingDeadlineSeconds: 3600,
        jobTemplate: {
          spec: {
            backoffLimit: 0,
            activeDeadlineSeconds: 3600,
            template: {
              spec: {
                automountServiceAccountToken: false,
                securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
              },
            },
          },
        },
      },
    });
    const text = JSON.stringify(object);
    expect(text).toContain('"--slot","$(HOLDFAST_RUN)"');
    expect(text).not.toContain("identity");
    expect(JSON.stringify(jobObject({ ...job, kind: "verify" }, "r1", usualSettings))).toContain(
      "--identity",
    );
  });

  it("of a resident is a Deployment that never runs twice; suspended it has no pod", () => {
    const resident = { ...job, key: "postgresql/log", kind: "log", schedule: { kind: "resident" } } as const;
    expect(jobObject(resident, "r1", usualSettings)).toMatchObject({
      kind: "Deployment",
      spec: { replicas: 1, strategy: { type: "Recreate" } },
    });
    expect(jobObject({ ...resident, suspended: true }, "r1", usualSettings)).toMatchObject({
      spec: { replicas: 0 },
    });
  });

  it("of one run has the slot in its name and its arguments", () => {
    const slotAt = "2026-11-20T02:00:00.000Z";
    const run = runObject(job, slotAt, built(), usualSettings);
    expect(run.metadata.name).toBe(runName(job.key, slotAt));
    expect(JSON.stringify(run)).toContain(`"--slot","${slotAt}"`);
  });
});

describe("drift", () => {
  it("is none where the server has only filled in its own", () => {
    const live = copy(built());
    Object.assign(live.spec, { failedJobsHistoryLimit: 5, successfulJobsHistoryLimit: 5 });
    Object.assign(live, { status: { lastScheduleTime: "2026-11-20T02:00:00Z" } });
    expect(driftOf(built(), live)).toEqual([]);
  });

  it("names the field and who changed it, also where something was added", () => {
    const live = copy(built());
    Object.assign(live.spec, { schedule: "0 5 * * *" });
    const pod = (
      live as never as { spec: { jobTemplate: { spec: { template: { spec: Record<string, unknown> } } } } }
    ).spec.jobTemplate.spec.template.spec;
    pod["hostNetwork"] = true;
    Object.assign(live.metadata, {
      managedFields: [
        {
          manager: "kubectl-edit",
          operation: "Update",
          time: "2026-11-20T03:00:00Z",
          fieldsV1: {
            "f:spec": {
              "f:schedule": {},
              "f:jobTemplate": { "f:spec": { "f:template": { "f:spec": { "f:hostNetwork": {} } } } },
            },
          },
        },
      ],
    });
    expect(driftOf(built(), live).map(describeDrift)).toEqual([
      `spec.schedule is "0 5 * * *", not "0 2 * * *"; changed by 'kubectl-edit' at 2026-11-20T03:00:00Z`,
      "spec.jobTemplate.spec.template.spec.hostNetwork was added; changed by 'kubectl-edit' at 2026-11-20T03:00:00Z",
    ]);
  });
});

describe("an installation", () => {
  const repositoryUrl = "https://git.example.org/backup-policies.git";
  const kept = (name: string): string =>
    readFileSync(new URL(`../../../deploy/kubernetes/${name}`, import.meta.url), "utf8");
  const strategy = async () => readPolicySet(await readPolicyPaths(["policies"]), await readSchemas()).set;

  it("is the same by install and by deploy/kubernetes", async () => {
    const objects = installObjects({ ...usualSettings, repositoryUrl });
    expect(kept("holdfast.yaml")).toBe(await installYaml(objects));
    const needs = await needsOf(await strategy());
    const added = installObjects({ ...usualSettings, repositoryUrl, ...needs }).filter(
      (o) => !objects.some((base) => JSON.stringify(base) === JSON.stringify(o)),
    );
    expect(kept("velero/rights.yaml")).toBe(await installYaml(added));
  });

  it("tells a reconciler that waits or works from one that cannot yet, and restarts neither", () => {
    const deployment = installObjects({ ...usualSettings, repositoryUrl }).find(
      (o) => o.kind === "Deployment",
    ) as never as {
      spec: { template: { spec: { containers: readonly [Record<string, unknown>] } } };
    };
    const [container] = deployment.spec.template.spec.containers;
    const port = { name: "status", containerPort: 9808, protocol: "TCP" };
    expect(container).toMatchObject({
      args: expect.arrayContaining(["--listen", `0.0.0.0:${port.containerPort}`]),
      ports: [port],
      readinessProbe: { httpGet: { path: "/readyz", port: port.name } },
      livenessProbe: { httpGet: { path: "/healthz", port: port.name } },
    });
  });

  it("grants what the policies' runs need and nothing to an installation without such policies", async () => {
    const set = await strategy();
    const accounts = await accountsOf(set);
    const names = installObjects({ ...usualSettings, repositoryUrl, accounts })
      .filter((o) => o.kind === "ServiceAccount")
      .map((o) => o.metadata.name);
    const used = desiredJobs(set, componentKinds).jobs.flatMap(
      (j) => podOfJob(j).serviceAccountName as string,
    );
    expect(names.filter((n) => n !== "holdfast-reconciler").sort()).toEqual([...new Set(used)].sort());
    // A policy that brings a kubeconfig of its own is none of this cluster's business.
    const elsewhere = set.policies.map((p) => ({ ...p, connection: { ...p.connection, kubeconfig: "/k" } }));
    expect(await accountsOf({ ...set, policies: elsewhere })).toEqual([]);
    expect(
      desiredJobs({ ...set, policies: elsewhere }, componentKinds).jobs.filter(
        (j) => j.account !== undefined,
      ),
    ).toEqual([]);
  });

  it("gives a token to the pods with an account alone", async () => {
    for (const wanted of desiredJobs(await strategy(), componentKinds).jobs)
      expect([wanted.key, podOfJob(wanted).automountServiceAccountToken]).toEqual([
        wanted.key,
        ["kubernetes/capture", "kubernetes/verify-4", "kubernetes/verify-5", "holdfast/verify-6"].includes(
          wanted.key,
        ),
      ]);
  });

  it("runs a drill where the store is all it knows of", async () => {
    const set = await strategy();
    const verify = desiredJobs(set, componentKinds).jobs.filter((j) => j.kind === "verify");
    const apart = verify.filter((j) => j.account === undefined);
    expect(apart.length).toBeGreaterThan(10);
    for (const wanted of apart) {
      const object = jobObject(wanted, "r1", usualSettings);
      expect([wanted.key, object.metadata.namespace]).toEqual([wanted.key, "holdfast-drills"]);
      const pod = podOfJob(wanted) as never as {
        serviceAccountName: string;
        automountServiceAccountToken: boolean;
        containers: readonly [{ envFrom?: unknown; env: readonly { name: string }[] }];
        volumes: readonly { name: string }[];
      };
      const [{ env, envFrom }] = pod.containers;
      expect(pod).toMatchObject({
        serviceAccountName: "holdfast-drill",
        automountServiceAccountToken: false,
      });
      expect(envFrom).toBeUndefined();
      const named = env
        .map((e) => e.name)
        .filter((n) => !["HOLDFAST_RUN", "HOLDFAST_RESULT", "HOME"].includes(n));
      expect(named).not.toEqual([]);
      for (const name of named) expect(name).toMatch(/^HOLDFAST_(DR_)?(READ|VERDICT)_/);
      expect(pod.volumes.map((v) => v.name)).toEqual(["policies", "state", "tmp", "identity"]);
    }
    // Velero restores into the cluster itself, and everything that is no verification works with the sources.
    const rest = desiredJobs(set, componentKinds).jobs.filter((j) => !apart.some((a) => a.key === j.key));
    for (const wanted of rest)
      expect(jobObject(wanted, "r1", usualSettings).metadata.namespace).toBe("holdfast");
  });

  it("keeps a drill beside the rest, and says so, where the store has no credentials of its own for it", async () => {
    const set = await strategy();
    const { verdict: _, ...others } = set.stores.find((s) => s.name === "primary")?.credentials ?? {};
    const kubernetes = { kind: "kubernetes" } as const;
    const without: typeof set = {
      ...set,
      stores: set.stores.map((s) => (s.name === "primary" ? { ...s, credentials: others } : s)),
      ...(set.reconciler === undefined ? {} : { reconciler: { ...set.reconciler, platform: kubernetes } }),
    };
    const { jobs, notes } = desiredJobs(without, componentKinds);
    const redis = jobs.find((j) => j.key === "redis/verify-4") as Job;
    expect(jobObject(redis, "r1", usualSettings).metadata.namespace).toBe("holdfast");
    expect(podOfJob(redis).serviceAccountName).toBe("holdfast-run");
    expect(notes.filter((n) => n.policy === "redis").map((n) => n.message)).toEqual([
      expect.stringContaining("its drills run beside everything else"),
    ]);
    expect(notes.filter((n) => n.policy === "secrets")).toEqual([]);
  });

  it("gives a drill the keys without which its server stays shut, and no token", async () => {
    const set = await strategy();
    const policies = set.policies.map((p) =>
      p.name === "secrets"
        ? { ...p, connection: { ...p.connection, unsealKeysFrom: { env: "UNSEAL_KEYS" } } }
        : p,
    );
    const drill = desiredJobs({ ...set, policies }, componentKinds).jobs.find(
      (j) => j.key === "secrets/verify-4",
    );
    expect(drill?.apart?.variables).toContain("UNSEAL_KEYS");
    expect(JSON.stringify(drill)).not.toContain("TOKEN");
  });

  it.each(componentKinds)("knows the accounts of %s by the same names as its engine", async (kind) => {
    const policy = (await strategy()).policies.find((p) => p.component === kind);
    if (policy === undefined) throw new Error("the strategy has every component");
    const { capture, drill } = componentFacts(kind as ComponentKind).clusterAccounts ?? {};
    const engine = await loadEngine(kind);
    const named = (engine?.accounts?.(policy) ?? []).flatMap((a) => a.name ?? []);
    expect(named.sort()).toEqual([capture, drill].filter((n) => n !== undefined).sort());
  });
});

describe("the network of drills", () => {
  const policy = (stores?: readonly StoreEndpoint[]) => drillNetworkPolicy("holdfast-drills", stores);

  it("lets nobody in, and out to names and public stores alone", () => {
    expect(selects(policy(), { any: "pod" })).toBe(true);
    expect(letsIn(policy())).toBe(false);
    const allowed: readonly Destination[] = [
      { ip: "52.216.1.1", port: 443 },
      { ip: "2600:1f18::1", port: 443 },
      { ip: "10.0.0.9", port: 53, protocol: "UDP", namespace: "kube-system" },
    ];
    for (const to of allowed) expect([to, letsOut(policy(), to)]).toEqual([to, true]);
    const refused: readonly Destination[] = [
      ...[
        "10.0.0.5",
        "172.16.3.4",
        "192.168.1.9",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "fd00::5",
      ].flatMap((ip) => [80, 443, 5432].map((port) => ({ ip, port }))),
      { ip: "52.216.1.1", port: 5432 },
      { ip: "52.216.1.1", port: 80 },
      { ip: "10.0.0.7", port: 5432, namespace: "bud-data" },
      { ip: "10.0.0.7", port: 443, namespace: "bud-data" },
      { ip: "10.0.0.9", port: 443, namespace: "kube-system" },
    ];
    for (const to of refused) expect([to, letsOut(policy(), to)]).toEqual([to, false]);
  });

  it("goes by a store's address, its namespace, or the networks given for it", () => {
    const byAddress = policy([{ host: "10.88.0.1", port: 9000 }]);
    expect(letsOut(byAddress, { ip: "10.88.0.1", port: 9000 })).toBe(true);
    expect(letsOut(byAddress, { ip: "10.88.0.1", port: 5432 })).toBe(false);
    expect(letsOut(byAddress, { ip: "52.216.1.1", port: 443 })).toBe(false);
    const inside = policy([{ host: "minio.backups.svc.cluster.local", port: 9000 }]);
    expect(letsOut(inside, { ip: "10.0.0.4", port: 9000, namespace: "backups" })).toBe(true);
    expect(letsOut(inside, { ip: "10.0.0.4", port: 9000, namespace: "bud-data" })).toBe(false);
    const given = policy([{ host: "s3.example.org", port: 443, networks: ["203.0.113.0/24"] }]);
    expect(letsOut(given, { ip: "203.0.113.9", port: 443 })).toBe(true);
    expect(letsOut(given, { ip: "52.216.1.1", port: 443 })).toBe(false);
  });

  it("is made of the policies' stores", async () => {
    const set = readPolicySet(await readPolicyPaths(["policies"]), await readSchemas()).set;
    const [first] = set.stores;
    const stores = ["http://10.88.0.1:9000", "https://[fd00::5]", "https://s3.example.org"].map(
      (endpoint) => ({
        ...(first as NonNullable<typeof first>),
        endpoint,
      }),
    );
    expect((await needsOf({ ...set, stores })).stores).toEqual([
      { host: "10.88.0.1", port: 9000 },
      { host: "fd00::5", port: 443 },
      { host: "s3.example.org", port: 443 },
    ]);
    expect((await needsOf({ ...set, stores }, ["203.0.113.0/24"])).stores[2]?.networks).toEqual([
      "203.0.113.0/24",
    ]);
  });
});

function podOfJob(wanted: Job): Record<string, unknown> {
  const spec = jobObject(wanted, "r1", usualSettings)["spec"] as {
    template?: { spec: object };
    jobTemplate?: { spec: { template: { spec: object } } };
  };
  return (spec.template ?? spec.jobTemplate?.spec.template)?.spec as Record<string, unknown>;
}
