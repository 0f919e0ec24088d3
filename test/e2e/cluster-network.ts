/**
 * What pods of a cluster reach, by the words of the NetworkPolicies and on a network that is made to keep to them.
 * Every connection that is refused is tried without the policy too, where it has to work.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drillNamespace as velerosDrill } from "../../src/engine/velero/objects.ts";
import { exitStatuses } from "../../src/errors.ts";
import type { KubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import {
  drillNetworkPolicy,
  type StoreEndpoint,
} from "../../src/platform/kubernetes/objects/drill-network.ts";
import { leaseName } from "../../src/platform/kubernetes/objects/install.ts";
import { runName } from "../../src/platform/kubernetes/objects/names.ts";
import { drillNamespace, usualSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import type { KubeJob, KubeObject, KubePod } from "../../src/platform/kubernetes/objects/shapes.ts";
import { nodePath } from "../servers/image.ts";
import { apiOfPods, hostOfPods } from "../servers/kubernetes.ts";
import { applyAll } from "../servers/kubernetes-objects.ts";
import { type NetworkEnforcer, startEnforcer, whyNoEnforcer } from "../servers/network-enforcer.ts";
import { type Destination, letsIn, letsOut, selects } from "../servers/network-policy.ts";
import {
  addressOf,
  barePod,
  type Outside,
  type PodTemplate,
  type Probe,
  podLike,
  probeCommand,
  probeIn,
  raiseOutside,
  startProbe,
  type Target,
} from "../servers/network-probes.ts";
import { until } from "../servers/waiting.ts";
import { production, type WholeStack } from "../servers/whole-stack.ts";

export interface ClusterNetwork {
  readonly admin: KubeClient;
  readonly stack: WholeStack;
  readonly image: string;
  /** `git://HOST:PORT/…` */
  readonly repositoryUrl: string;
  /** Points with the instant of their newest proof. */
  points(): Promise<
    readonly { readonly policy: string; readonly proof: number; readonly provedAt?: string }[]
  >;
}

/** By what they are called in a test's output. */
type Targets = Readonly<Record<string, Target>>;

const { namespace } = usualSettings;
const drills = drillNamespace(usualSettings);
const statusPort = 9808;
const policies = `/apis/networking.k8s.io/v1/namespaces/${drills}/networkpolicies`;
const drillPolicy = "holdfast-drills";
/** Of probes; nobody else's. */
const otherPort = 7000;
const runLimitMs = 240_000;

interface Holder extends KubeObject {
  readonly spec: {
    readonly jobTemplate: {
      readonly metadata: object;
      readonly spec: { readonly template: PodTemplate };
    };
  };
}
type ContainerStatuses = NonNullable<KubePod["status"]>["containerStatuses"];
type DrillPod = KubePod & { readonly status?: { readonly initContainerStatuses?: ContainerStatuses } };

/** Registers the tests; `of` is asked once they run. */
export function describeClusterNetwork(of: () => ClusterNetwork): void {
  it("has a policy of the network that lets drills reach the store, and neither source nor API server", async () => {
    const { admin, stack } = of();
    const policy = await admin.request<KubeObject>("GET", `${policies}/${drillPolicy}`);
    const pods = await admin.request<{ items: readonly KubeObject[] }>("GET", pathOf("Pod", drills));
    for (const { metadata } of pods.items) expect(selects(policy, metadata.labels ?? {})).toBe(true);
    expect(letsIn(policy)).toBe(false);
    const at = ([ip, port]: Target): Destination => ({ ip, port });
    expect(letsOut(policy, at(storeOf(stack)))).toBe(true);
    for (const source of Object.values(sourcesOf(stack))) expect(letsOut(policy, at(source))).toBe(false);
    expect(letsOut(policy, { ip: apiOfPods.host, port: apiOfPods.port })).toBe(false);
    expect(letsOut(policy, at([hostOfPods, stack.cluster.port]))).toBe(false);
  });

  describe.skipIf(whyNoEnforcer() !== undefined)("its network, enforced", () => enforced(of));
}

function enforced(of: () => ClusterNetwork): void {
  let enforcer: NetworkEnforcer;
  let outside: Outside;
  let drill: Probe;
  let capture: Probe;
  let stranger: Probe;
  let names: Probe;
  let neighbour: Probe;
  /** What a drill must not reach; each is there. */
  let forbidden: Targets;

  beforeAll(async () => {
    const { admin, stack } = of();
    const { cluster } = stack;
    outside = await raiseOutside([443, otherPort]);
    const bare = (name: string, where: string, ...ports: readonly number[]) =>
      startProbe(admin, cluster, barePod(of().image, where, name, ports), ports);
    const like = async (job: string, where: string, name: string) =>
      startProbe(
        admin,
        cluster,
        podLike(await templateOf(admin, where, job), where, name, [statusPort, otherPort]),
        [statusPort, otherPort],
      );
    [drill, neighbour, capture, stranger, names] = await Promise.all([
      like("postgresql--verify-4", drills, "probe-drill"),
      like("redis--verify-4", drills, "probe-neighbour"),
      like("postgresql--capture", namespace, "probe-capture"),
      bare("probe-stranger", production, otherPort, 53, storeOf(stack)[1]),
      bare("probe-names", "kube-system", otherPort, 53),
    ]);
    forbidden = {
      ...sourcesOf(stack),
      "API server's service": [apiOfPods.host, apiOfPods.port],
      "API server": [hostOfPods, cluster.port],
      kubelet: [hostOfPods, await kubeletPort(admin)],
      git: gitOf(of()),
      "drill beside it": [neighbour.address, otherPort],
      "capture's pod": [capture.address, statusPort],
      "another namespace": [stranger.address, otherPort],
      "the store's port elsewhere": [stranger.address, storeOf(stack)[1]],
      "names of another namespace": [stranger.address, 53],
      "another port of who answers names": [names.address, otherPort],
      "outside, HTTPS": [outside.address, 443],
      outside: [outside.address, otherPort],
    };
    enforcer = await startEnforcer(cluster);
  });
  afterAll(async () => {
    await enforcer?.stop();
    await outside?.stop();
  });

  const reached = async (from: Probe, targets: Targets): Promise<readonly string[]> => {
    const words = await from.ask(Object.values(targets));
    return Object.keys(targets).filter((_, n) => words[n] === "open");
  };
  const allowed = (): Targets => ({
    store: storeOf(of().stack),
    "names by TCP": [names.address, 53],
    "names by UDP": [names.address, 53, "UDP"],
  });
  const everything = (...but: readonly string[]): Targets =>
    Object.fromEntries(
      Object.entries({ ...allowed(), ...forbidden }).filter(([name]) => !but.includes(name)),
    );
  /** What the policy's words say of the same targets. */
  const saidOf = (policy: KubeObject, targets: Targets): readonly string[] => {
    const pods = new Map([
      [neighbour.address, drills],
      [capture.address, namespace],
      [stranger.address, production],
      [names.address, "kube-system"],
    ]);
    const at = ([ip, port, protocol]: Target): Destination => {
      const where = pods.get(ip);
      return { ip, port, protocol: protocol ?? "TCP", ...(where === undefined ? {} : { namespace: where }) };
    };
    return Object.keys(targets).filter((name) => letsOut(policy, at(targets[name] as Target)));
  };
  const heldTo = (probe: Probe, ...wanted: readonly string[]): Promise<void> =>
    until(() => enforcer.policiesOf(probe.address)?.join() === wanted.join());
  /** Another policy in the place of the drills' own, under a name that tells when it is in force. */
  const withPolicy = async (policy: KubeObject | undefined, act: () => Promise<void>): Promise<void> => {
    const { admin } = of();
    const own = await admin.request<KubeObject>("GET", `${policies}/${drillPolicy}`);
    await admin.request("DELETE", `${policies}/${drillPolicy}`);
    if (policy !== undefined) await applyAll(admin, [policy]);
    try {
      await heldTo(drill, ...(policy === undefined ? [] : [policy.metadata.name]));
      await act();
    } finally {
      if (policy !== undefined) await admin.request("DELETE", `${policies}/${policy.metadata.name}`);
      const { name, labels = {} } = own.metadata;
      await applyAll(admin, [{ ...own, metadata: { name, namespace: drills, labels } }]);
    }
    await heldTo(drill, drillPolicy);
  };

  it("lets a drill reach the store and names, and nothing else; without the policy it reaches all of it", async () => {
    await heldTo(drill, drillPolicy);
    expect(await reached(drill, everything())).toEqual(Object.keys(allowed()));
    await withPolicy(undefined, async () => {
      expect(await reached(drill, everything())).toEqual(Object.keys(everything()));
    });
    const found = await reached(drill, everything());
    expect(found).toEqual(Object.keys(allowed()));
    const policy = await of().admin.request<KubeObject>("GET", `${policies}/${drillPolicy}`);
    expect(found).toEqual(saidOf(policy, everything()));
    console.log(`refused of a drill: ${Object.keys(forbidden).join(", ")}`);
  });

  it("lets nobody into a drill, who come in without the policy", async () => {
    const door: Targets = { drill: [drill.address, otherPort] };
    const visitors = { neighbour, capture, stranger, names, outside };
    for (const [who, from] of Object.entries(visitors))
      expect([who, await reached(from, door)]).toEqual([who, []]);
    await withPolicy(undefined, async () => {
      await heldTo(neighbour);
      for (const [who, from] of Object.entries(visitors))
        expect([who, await reached(from, door)]).toEqual([who, ["drill"]]);
    });
  });

  it("keeps to policies for stores of other kinds: a public one, one in a namespace, one in a network", async () => {
    const kinds: readonly (readonly [StoreEndpoint, readonly string[]])[] = [
      // The service's address of the API server has the same port and is no public one.
      [{ host: "s3.example.org", port: 443 }, ["outside, HTTPS"]],
      [{ host: `minio.${production}.svc`, port: otherPort }, ["another namespace"]],
      [{ host: "s3.example.org", port: otherPort, networks: ["198.18.7.0/28"] }, ["outside"]],
      [{ host: "s3.example.org", port: otherPort, networks: ["198.18.7.128/25"] }, []],
    ];
    for (const [n, [store, wanted]] of kinds.entries()) {
      const policy = drillNetworkPolicy(drills, [store]);
      const named = { ...policy, metadata: { ...policy.metadata, name: `store-${n}` } };
      await withPolicy(named, async () => {
        const found = await reached(drill, everything());
        expect([store, found]).toEqual([store, ["names by TCP", "names by UDP", ...wanted]]);
        expect([store, found]).toEqual([store, saidOf(policy, everything())]);
      });
    }
  });

  it("lets captures reach store, sources and API server, and nobody into them but for the status", async () => {
    await heldTo(capture, "holdfast");
    const open = everything("drill beside it");
    expect(await reached(capture, open)).toEqual(Object.keys(open));
    const doors: Targets = {
      status: [capture.address, statusPort],
      other: [capture.address, otherPort],
    };
    for (const from of [stranger, drill, outside])
      expect(await reached(from, doors)).toEqual(from === drill ? [] : ["status"]);
  });

  it("keeps the reconciler at work: it reaches git, API server, stores and sources, and its status answers", async () => {
    const { admin, stack } = of();
    const found = await admin.request<{ items: readonly KubeObject[] }>("GET", pathOf("Pod", namespace), {
      query: { labelSelector: "app.kubernetes.io/component=reconciler" },
    });
    expect(found.items).toHaveLength(2);
    const isNeeded = (name: string): boolean =>
      name in sourcesOf(stack) || ["git", "API server's service"].includes(name);
    for (const { metadata } of found.items) {
      const address = await addressOf(admin, namespace, metadata.name);
      const reconciler = probeIn(stack.cluster, namespace, metadata.name, address);
      await heldTo(reconciler, "holdfast");
      const needed = everything(...Object.keys(forbidden).filter((name) => !isNeeded(name)));
      expect(await reached(reconciler, needed)).toEqual(Object.keys(needed));
      expect(await reached(stranger, { status: [address, statusPort] })).toEqual(["status"]);
      expect(await reached(drill, { status: [address, statusPort] })).toEqual([]);
    }
    const renewedAt = async (): Promise<string> =>
      (
        await admin.request<{ spec: { renewTime: string } }>(
          "GET",
          `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${leaseName}`,
        )
      ).spec.renewTime;
    const before = await renewedAt();
    await until(async () => (await renewedAt()) > before, 60_000);
  });

  it("leaves what Velero's drills bring up without any way in or out", async () => {
    const { admin, stack, image } = of();
    const where = "drill-of-the-network";
    const [space, policy] = velerosDrill(where, "kubernetes").map((o) => o as KubeObject);
    if (space === undefined || policy === undefined) throw new Error("there is no namespace of a drill");
    await applyAll(admin, [space]);
    const pod = barePod(image, where, "restored", [otherPort]);
    const restored = await startProbe(admin, stack.cluster, pod, [otherPort]);
    const door: Targets = { restored: [restored.address, otherPort] };
    const open = everything("drill beside it");
    expect(await reached(restored, open)).toEqual(Object.keys(open));
    expect(await reached(stranger, door)).toEqual(["restored"]);
    await applyAll(admin, [policy]);
    await heldTo(restored, policy.metadata.name);
    expect(await reached(restored, open)).toEqual([]);
    for (const from of [stranger, capture, outside]) expect(await reached(from, door)).toEqual([]);
  });

  it("proves PostgreSQL and Redis to level 4 by drills that were held to the policy from the start", async () => {
    const startedAt = new Date().toISOString();
    const runs = await Promise.all(
      ["postgresql", "redis"].map((p) => runDrill(p, "2026-11-21T02:00:00.000Z")),
    );
    for (const { policy, exitStatus, openMs, message } of runs) {
      expect([policy, exitStatus, message]).toEqual([policy, 0, expect.any(String)]);
      const proved = (await of().points()).filter(
        (p) => p.policy === policy && (p.provedAt ?? "") > startedAt,
      );
      expect([policy, proved.map((p) => p.proof)]).toEqual([policy, [4]]);
      console.log(
        `${policy}: level 4; the source answered its pod for ${openMs} ms before the policy was in force`,
      );
    }
  });

  it("proves nothing when the policy leaves the store out", async () => {
    const elsewhere = drillNetworkPolicy(drills, [{ host: outside.address, port: 443 }]);
    const named = { ...elsewhere, metadata: { ...elsewhere.metadata, name: "elsewhere" } };
    await withPolicy(named, async () => {
      const { exitStatus, message } = await runDrill("redis", "2026-11-22T02:00:00.000Z", "elsewhere");
      expect([exitStatus, message]).toEqual([
        exitStatuses.unreachable.status,
        expect.stringMatching(/store-unreachable/),
      ]);
    });
  });

  /** A drill of the CronJob's own template, whose program begins once the network is closed to its pod. */
  async function runDrill(policy: string, slot: string, heldBy = drillPolicy) {
    const { admin, stack } = of();
    const name = runName(`${policy}/verify-4`, slot);
    const { metadata, spec } = (await holderOf(admin, drills, `${policy}--verify-4`)).spec.jobTemplate;
    const source = sourcesOf(stack)[policy];
    const [container] = spec.template.spec.containers;
    const wait = {
      ...container,
      name: "wait",
      args: [],
      command: probeCommand(nodePath, "wait", JSON.stringify(source)),
    };
    const template = { ...spec.template, spec: { ...spec.template.spec, initContainers: [wait] } };
    await admin.request("POST", pathOf("Job", drills), {
      body: {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { ...metadata, name },
        spec: { ...spec, template },
      },
    });
    const pod = async (): Promise<DrillPod | undefined> =>
      (
        await admin.request<{ items: readonly DrillPod[] }>("GET", pathOf("Pod", drills), {
          query: { labelSelector: `batch.kubernetes.io/job-name=${name}` },
        })
      ).items[0];
    await until(async () => (await pod()) !== undefined);
    const address = await addressOf(admin, drills, (await pod())?.metadata.name ?? "");
    await until(() => enforcer.policiesOf(address)?.join() === heldBy);
    const ended = async () =>
      /^(Succeeded|Failed)$/.test((await pod())?.status?.phase ?? "") &&
      (await admin.request<KubeJob>("GET", `${pathOf("Job", drills)}/${name}`)).status?.active === undefined;
    await until(ended, runLimitMs);
    const status = (await pod())?.status;
    const main = status?.containerStatuses?.[0]?.state?.terminated;
    const init = status?.initContainerStatuses?.[0]?.state?.terminated;
    return {
      policy,
      exitStatus: main?.exitCode,
      message: main?.message ?? "",
      openMs: Number(init?.message),
    };
  }
}

function storeOf(stack: WholeStack): Target {
  return [hostOfPods, Number(new URL(stack.stores?.endpoint ?? "").port)];
}

/** By the component's name; those that this machine has. */
function sourcesOf({ sources }: WholeStack): Targets {
  const { postgresqlPort, redisPort, mongodbPort, clickhousePort, vaultAddress, models } = sources;
  const portOf = (url: string | undefined) => (url === undefined ? undefined : Number(new URL(url).port));
  const ports = {
    postgresql: postgresqlPort,
    redis: redisPort,
    mongodb: mongodbPort,
    clickhouse: clickhousePort,
    secrets: portOf(vaultAddress),
    models: portOf(models?.endpoint),
  };
  return Object.fromEntries(
    Object.entries(ports).flatMap(([name, port]) => (port === undefined ? [] : [[name, [hostOfPods, port]]])),
  );
}

function gitOf({ repositoryUrl }: ClusterNetwork): Target {
  const { hostname, port } = new URL(repositoryUrl);
  return [hostname, Number(port)];
}

async function kubeletPort(admin: KubeClient): Promise<number> {
  const node = await admin.request<{
    status: { daemonEndpoints: { kubeletEndpoint: { Port: number } } };
  }>("GET", "/api/v1/nodes/node1");
  return node.status.daemonEndpoints.kubeletEndpoint.Port;
}

const holderOf = (admin: KubeClient, where: string, name: string): Promise<Holder> =>
  admin.request<Holder>("GET", `${pathOf("CronJob", where)}/${name}`);

async function templateOf(admin: KubeClient, where: string, name: string): Promise<PodTemplate> {
  return (await holderOf(admin, where, name)).spec.jobTemplate.spec.template;
}
