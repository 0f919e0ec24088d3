/**
 * A cluster whose repository is lost: `adopt` writes policies for what it runs, and a plan with them has nothing to
 * do. Holdfast's own jobs, schedules of a real Velero, foreign CronJobs; by an account that may only read.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubeClient, openKubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import { installObjects } from "../../src/platform/kubernetes/objects/install.ts";
import { usualSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import type { KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";
import { systemClock } from "../../src/time/clock.ts";
import { applyAll, tokenOf } from "../servers/kubernetes-objects.ts";
import { clearMinioSecrets, minioUser, setMinioSecrets } from "../servers/minio.ts";
import { startVelero, type TestVelero, whyNoVelero } from "../servers/velero.ts";
import { until } from "../servers/waiting.ts";
import { holdfast, policiesPath } from "./holdfast.ts";

const password = "correct-horse-battery-staple";
const canary = "a-password-in-the-clear";
const { namespace } = usualSettings;
const image = "registry.example.org/holdfast:7";

interface Adopted {
  readonly files: readonly string[];
  readonly policies: readonly {
    readonly policy: string;
    readonly kind: string;
    readonly stillRuns?: { readonly suspend: string };
  }[];
  readonly notAdopted: readonly { readonly what: string; readonly reason: string }[];
  readonly own?: { readonly count: number; readonly differing: readonly string[]; readonly image: string };
  readonly next: readonly string[];
}

interface Planned {
  readonly actions: readonly {
    readonly kind: string;
    readonly policy: string;
    readonly setting?: string;
    readonly reason: string;
  }[];
  readonly refusals: readonly unknown[];
  readonly notes: readonly { readonly policy: string; readonly message: string }[];
}

describe.skipIf(whyNoVelero() !== undefined)("holdfast adopt", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-adopt-"));
  let velero: TestVelero;
  let admin: KubeClient;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    setMinioSecrets(password);
    velero = await startVelero(password, "bud-velero");
    admin = openKubeClient(systemClock, { kubeconfig: velero.cluster.kubeconfig });
    await applyAll(
      admin,
      installObjects({ ...usualSettings, repositoryUrl: "https://git.example.org/x.git" }),
      (o) => o.kind !== "Deployment",
    );
    env = {
      KUBECONFIG: velero.cluster.kubeconfig,
      HOLDFAST_NAMESPACE: namespace,
      HOLDFAST_IMAGE: image,
      BUD_VELERO_READ_KEY_ID: minioUser,
      BUD_VELERO_READ_SECRET: password,
      BUD_VELERO_WRITE_KEY_ID: minioUser,
      BUD_VELERO_WRITE_SECRET: password,
      BUD_VELERO_DELETE_KEY_ID: minioUser,
      BUD_VELERO_DELETE_SECRET: password,
    };
    const remote = pushStrategy(folder);
    const ran = await holdfast(
      [
        ...["run", "--once", "--platform", "kubernetes", "--repository", remote, "--listen", "none"],
        ...["--state", join(folder, "first")],
      ],
      { env, deadlineMs: 240_000 },
    );
    expect(ran.stderr).toContain("done: ");
    // The repository, and the machine that had a copy of it, are gone.
    rmSync(remote, { recursive: true });
    rmSync(join(folder, "first"), { recursive: true });
  }, 400_000);
  afterAll(async () => {
    clearMinioSecrets();
    admin?.close();
    await velero?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const adopt = async (to: string, ...more: readonly string[]) =>
    holdfast(["adopt", "--kubeconfig", velero.cluster.kubeconfig, "--to", join(folder, to), ...more]);
  async function adopted(to: string, ...more: readonly string[]): Promise<Adopted> {
    const ran = await adopt(to, "--format", "json", ...more);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    return JSON.parse(ran.stdout) as Adopted;
  }
  async function planned(to: string): Promise<Planned> {
    const lint = await holdfast(["lint", join(folder, to)]);
    expect(lint).toMatchObject({ status: 0 });
    const args = [
      "--policies",
      join(folder, to),
      "--platform",
      "kubernetes",
      "--state",
      join(folder, "state"),
    ];
    const ran = await holdfast(["plan", "--format", "json", ...args], { env });
    expect(ran).toMatchObject({ status: 0 });
    return JSON.parse(ran.stdout) as Planned;
  }
  /** Of everything an adoption might have touched. */
  async function versions(): Promise<readonly string[]> {
    const kinds = [
      "cronjobs",
      "deployments",
      "configmaps",
      "secrets",
      "schedules.velero.io",
      "backupstoragelocations.velero.io",
    ];
    const text = velero.kubectl(["get", kinds.join(","), "--all-namespaces", "--output=json"]);
    const { items } = JSON.parse(text) as { items: readonly (KubeObject & { readonly spec?: unknown })[] };
    // Velero writes the status of its own objects all the time.
    return (
      items
        // A controller puts it into every namespace by and by.
        .filter((o) => o.metadata.name !== "kube-root-ca.crt")
        .map(
          (o) =>
            `${o.kind} ${o.metadata.namespace}/${o.metadata.name} ${o.metadata.generation ?? o.metadata.resourceVersion}`,
        )
        .sort()
    );
  }

  it("recovers the strategy from the cluster byte for byte, and a plan with it is empty", async () => {
    const before = await versions();
    const adoption = await adopted("own");
    const names = readdirSync(policiesPath).sort();
    expect([...adoption.files].sort()).toEqual(names);
    for (const name of names)
      expect(readFileSync(join(folder, "own", name))).toEqual(readFileSync(join(policiesPath, name)));
    expect(adoption.own).toMatchObject({ differing: [], image });
    expect(adoption.own?.count).toBeGreaterThan(30);
    expect(await planned("own")).toMatchObject({ actions: [], refusals: [] });
    expect(await versions()).toEqual(before);
    console.log(`recovered ${names.length} files; ${adoption.own?.count} jobs, none differs`);
  });

  it("never overwrites: what is equal stays, and one file that differs stops it whole", async () => {
    expect((await adopted("own")).files).toEqual([]);
    const [path, gone] = [join(folder, "own", "redis.yaml"), join(folder, "own", "minio.yaml")];
    const [before, other] = [readFileSync(path), readFileSync(gone)];
    writeFileSync(path, "# mine\n");
    rmSync(gone);
    const again = await adopt("own");
    expect(again.status).toBe(2);
    expect(again.stderr).toMatch(/target-not-empty: .*has redis.yaml already; nothing was written/);
    expect(readFileSync(path, "utf8")).toBe("# mine\n");
    expect(existsSync(gone)).toBe(false);
    writeFileSync(path, before);
    expect((await adopted("own")).files).toEqual(["minio.yaml"]);
    expect(readFileSync(gone)).toEqual(other);
  });

  it("tells of a job that was changed by hand: the plan is empty no longer", async () => {
    const path = `${pathOf("CronJob", namespace)}/redis--capture`;
    const patch = (schedule: string) =>
      admin.request("PATCH", path, {
        contentType: "application/merge-patch+json",
        query: { fieldManager: "kubectl-edit" },
        body: { spec: { schedule } },
      });
    await patch("0 5 * * *");
    const { actions } = await planned("own");
    expect(actions).toMatchObject([{ kind: "update-job", policy: "redis" }]);
    expect(actions[0]?.reason).toContain("kubectl-edit");
    await patch("0 * * * *");
    expect((await planned("own")).actions).toMatchObject([]);
  });

  it("keeps a schedule of Velero's as it is: no change planned, and one made by hand is mended", async () => {
    makeVeleroObjects(velero);
    const before = await versions();
    const adoption = await adopted("with-velero", "--cluster", "bud");
    expect(adoption.policies.filter((p) => p.kind === "held")).toMatchObject([
      { policy: "velero-nightly" },
      { policy: "velero-yearly" },
    ]);
    const { actions, refusals, notes } = await planned("with-velero");
    expect([actions, refusals]).toEqual([[], []]);
    // Nothing to change because it was looked at, not because it could not be.
    expect(notes.filter((n) => n.policy === "velero-nightly").map((n) => n.message)).toEqual([
      "the tool's own schedule makes its backups; Holdfast keeps that schedule as the policy says, and proves none of them",
    ]);
    expect(await versions()).toEqual(before);

    const ttl = () => velero.kubectl([...scheduleArgs("get"), "--output=jsonpath={.spec.template.ttl}"]);
    velero.kubectl([
      ...scheduleArgs("patch"),
      "--type=merge",
      '--patch={"spec":{"template":{"ttl":"1h0m0s"}}}',
    ]);
    expect((await planned("with-velero")).actions).toMatchObject([
      { kind: "mend-source", policy: "velero-nightly", setting: "velero.schedule.template.ttl" },
    ]);
    const args = [
      "--policies",
      join(folder, "with-velero"),
      "--platform",
      "kubernetes",
      "--state",
      join(folder, "state"),
    ];
    expect(await holdfast(["apply", ...args], { env })).toMatchObject({ status: 0 });
    expect(ttl()).toBe("720h0m0s");
    expect(await planned("with-velero")).toMatchObject({ actions: [], refusals: [] });
    const hooks = velero.kubectl([
      ...scheduleArgs("get"),
      "--output=jsonpath={.spec.template.labelSelector}",
    ]);
    expect(hooks).toContain("gold");

    const backup = await holdfast(
      ["backup", "velero-nightly", ...args.filter((a) => !/platform|^kubernetes$/.test(a))],
      { env },
    );
    expect(backup.status).toBe(2);
    expect(backup.stderr).toMatch(/begun by the tool's own schedule/);
  });

  it("proposes a foreign job as the only change, says that the old one runs, and how to end that", async () => {
    await applyAll(admin, [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
      foreign("pg-nightly", "pg_dump -h db -U app shop | aws s3 cp - s3://dumps/shop"),
      foreign("redis-hourly", `redis-cli -h cache -a ${canary} --rdb /backup/dump.rdb`),
      foreign("report", "echo report"),
    ]);
    const ran = await adopt("with-foreign");
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(ran.stdout).toMatch(/pg-nightly {2}proposed, new, from CronJob shop\/pg-nightly/);
    expect(ran.stdout).toMatch(/CronJob shop\/redis-hourly: redis-cli; a policy needs a bucket/);
    expect(ran.stdout).not.toMatch(/shop\/report/);
    const texts = readdirSync(join(folder, "with-foreign")).map((name) =>
      readFileSync(join(folder, "with-foreign", name), "utf8"),
    );
    for (const text of [ran.stdout, ...texts]) expect(text).not.toContain(canary);
    const { actions, refusals, notes } = await planned("with-foreign");
    const aboutOld = (all: Planned["notes"]) =>
      all.filter((n) => /pg-nightly, which.*still runs/.test(n.message));
    expect(aboutOld(notes)).toHaveLength(1);
    expect(refusals).toEqual([]);
    expect(actions.length).toBeGreaterThan(2);
    expect(actions.filter((a) => a.kind !== "create-job" || a.policy !== "pg-nightly")).toEqual([]);
    const suspend = /still runs CronJob shop\/pg-nightly; when the policy is proved: (.*)/.exec(
      ran.stdout,
    )?.[1];
    execFileSync("sh", ["-c", suspend ?? "false"], { env: { ...process.env, ...env } });
    const old = await admin.request<{ spec: { suspend: boolean } }>(
      "GET",
      `${pathOf("CronJob", "shop")}/pg-nightly`,
    );
    expect(old.spec.suspend).toBe(true);
    expect(aboutOld((await planned("with-foreign")).notes)).toEqual([]);
  });

  it("needs no right but to read", async () => {
    const reads = [
      { apiGroups: ["batch"], resources: ["cronjobs"], verbs: ["list"] },
      { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
      { apiGroups: ["velero.io"], resources: ["schedules", "backupstoragelocations"], verbs: ["list"] },
      { apiGroups: [""], resources: ["configmaps"], resourceNames: ["holdfast-policies"], verbs: ["get"] },
    ];
    const reader = await account(admin, velero, "reader", reads);
    const all = JSON.parse(
      (await holdfast(["adopt", "--kubeconfig", reader, "--to", join(folder, "read"), "--format", "json"]))
        .stdout,
    ) as Adopted;
    const asAdmin = await adopted("as-admin");
    expect({ ...all, next: [], to: "" }).toEqual({ ...asAdmin, next: [], to: "" });
    const can = velero.kubectl(["auth", "can-i", "--list", "--as=system:serviceaccount:default:reader"]);
    // Everybody may ask who he is.
    const writes = can.split("\n").filter((l) => /\[.*(?:create|update|patch|delete|\*).*\]$/.test(l.trim()));
    expect(writes.filter((line) => !line.startsWith("selfsubject") && !/\[get\]$/.test(line.trim()))).toEqual(
      [],
    );

    const few = await account(admin, velero, "few", reads.slice(0, 1));
    const partly = await holdfast(["adopt", "--kubeconfig", few, "--to", join(folder, "few")]);
    expect(partly.status).toBe(0);
    expect(partly.stdout).toMatch(/ConfigMap holdfast-policies may not be read/);
    expect(partly.stdout).toMatch(/Velero's Schedules: not asked for: the right to list them is missing/);
    const none = await account(admin, velero, "none", []);
    const refused = await holdfast(["adopt", "--kubeconfig", none, "--to", join(folder, "none")]);
    expect(refused.status).toBe(10);
    expect(refused.stderr).toMatch(/platform-denied[\s\S]*next: adopt lists CronJobs/);
  });
});

/** The shipped policies in a repository of their own. */
function pushStrategy(folder: string): string {
  const [clone, remote] = [join(folder, "clone"), join(folder, "remote.git")];
  cpSync(policiesPath, join(clone, "policies"), { recursive: true });
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      cwd: clone,
      stdio: "ignore",
    });
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("commit", "--quiet", "--message", "policies");
  execFileSync("git", ["clone", "--quiet", "--bare", clone, remote]);
  rmSync(clone, { recursive: true });
  return remote;
}

function scheduleArgs(verb: string): readonly string[] {
  return [verb, "schedules.velero.io", "nightly", "--namespace=velero"];
}

/** As `velero install` and `velero schedule create` make them. */
function makeVeleroObjects({ kubectl, minio }: TestVelero): void {
  const metadata = (name: string) => ({ name, namespace: "velero" });
  const cloud = `[default]\naws_access_key_id=${minioUser}\naws_secret_access_key=${password}\n`;
  const template = {
    includedNamespaces: ["*"],
    defaultVolumesToFsBackup: true,
    labelSelector: { matchLabels: { tier: "gold" } },
    ttl: "720h0m0s",
  };
  const objects = [
    { apiVersion: "v1", kind: "Secret", metadata: metadata("cloud-credentials"), stringData: { cloud } },
    {
      apiVersion: "velero.io/v1",
      kind: "BackupStorageLocation",
      metadata: metadata("default"),
      spec: {
        provider: "aws",
        default: true,
        objectStorage: { bucket: minio.bucket, prefix: "main" },
        credential: { name: "cloud-credentials", key: "cloud" },
        config: {
          region: "us-east-1",
          s3Url: minio.endpoint,
          s3ForcePathStyle: "true",
          checksumAlgorithm: "",
        },
      },
    },
    ...[
      { name: "nightly", schedule: "CRON_TZ=Europe/Berlin 0 3 * * *", template },
      {
        name: "yearly",
        schedule: "0 5 1 1 *",
        template: { ...template, ttl: "87600h0m0s", storageLocation: "default" },
      },
    ].map(({ name, ...spec }) => ({
      apiVersion: "velero.io/v1",
      kind: "Schedule",
      metadata: metadata(name),
      spec,
    })),
  ];
  kubectl(["create", "--filename=-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  // Velero fills in a field of its own when it first looks at a schedule.
  const wait = (object: string, phase: string) =>
    kubectl([
      "wait",
      object,
      "--namespace=velero",
      `--for=jsonpath={.status.phase}=${phase}`,
      "--timeout=60s",
    ]);
  for (const name of ["nightly", "yearly"]) wait(`schedules.velero.io/${name}`, "Enabled");
  wait("backupstoragelocations.velero.io/default", "Available");
}

function foreign(name: string, script: string): KubeObject {
  const container = {
    name: "dump",
    image: "registry.example.org/tools:1",
    command: ["/bin/sh", "-ec", script],
    env: [{ name: "PGPASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
  };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name, namespace: "shop" },
    spec: {
      schedule: "30 1 * * *",
      timeZone: "Europe/Berlin",
      jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [container] } } } },
    },
  };
}

/** A kubeconfig of a service account with these rights in the whole cluster. */
async function account(
  admin: KubeClient,
  velero: TestVelero,
  name: string,
  rules: readonly object[],
): Promise<string> {
  const group = "rbac.authorization.k8s.io";
  await applyAll(admin, [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } },
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: { name }, rules },
    {
      apiVersion: `${group}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup: group, kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    },
  ]);
  const token = await tokenOf(admin, "default", name);
  const path = velero.cluster.kubeconfigFor(token, "default");
  // The API server learns of new roles by a watch.
  await until(() => {
    const asked = velero.kubectl(["auth", "can-i", "--list", `--as=system:serviceaccount:default:${name}`]);
    return rules.length === 0 || asked.includes("cronjobs");
  });
  return path;
}
