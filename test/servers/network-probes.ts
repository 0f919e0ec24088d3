/** Places of a network from which connections are tried: pods, and a network outside of the cluster. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { KubeClient } from "../../src/platform/kubernetes/client.ts";
import { pathOf } from "../../src/platform/kubernetes/holders.ts";
import type { KubeObject, KubePod } from "../../src/platform/kubernetes/objects/shapes.ts";
import { nodePath } from "./image.ts";
import type { Cluster } from "./kubernetes.ts";
import { killed, until } from "./waiting.ts";

const runProgram = promisify(execFile);
const script = readFileSync(join(import.meta.dirname, "network-probe.mjs"), "utf8");
const outsideName = "holdfast-outside";
/** Of the block for tests of networks: public to a policy, and nobody lives there. */
const [outsideGateway, outsideAddress] = ["198.18.7.1", "198.18.7.9"];

/** Host, port and, where it is not TCP, protocol. */
export type Target = readonly [host: string, port: number, protocol?: "UDP"];

export interface Probe {
  readonly address: string;
  /** For each target `open`, or what became of the connection. */
  ask(targets: readonly Target[]): Promise<readonly string[]>;
}

/** What a container or a machine runs; `node` is its Node. */
export function probeCommand(
  node: string,
  verb: "listen" | "ask" | "wait",
  ...rest: readonly string[]
): readonly [string, ...string[]] {
  return [node, "--input-type=module", "-e", script, "--", verb, ...rest];
}

/** Reads what a probe has said. */
async function answers(command: string, args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runProgram(command, args, { maxBuffer: 2 ** 20, timeout: 60_000 });
  return JSON.parse(stdout);
}

/** Tries connections from a container that runs; its image has Node where {@link nodePath} says. */
export function probeIn(cluster: Cluster, namespace: string, pod: string, address: string): Probe {
  const exec = [`--kubeconfig=${cluster.kubeconfig}`, `--namespace=${namespace}`, "exec", pod, "--"];
  return {
    address,
    ask: (targets) =>
      answers("kubectl", [...exec, ...probeCommand(nodePath, "ask", JSON.stringify(targets))]),
  };
}

/** Makes the pod and waits until it listens. */
export async function startProbe(
  admin: KubeClient,
  cluster: Cluster,
  pod: KubeObject,
  ports: readonly number[],
): Promise<Probe> {
  const { name, namespace = "" } = pod.metadata;
  // A controller makes it, and without it no pod is taken.
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until(() =>
    admin.request("GET", account).then(
      () => true,
      () => false,
    ),
  );
  await admin.request("POST", pathOf("Pod", namespace), { body: pod });
  const probe = probeIn(cluster, namespace, name, await addressOf(admin, namespace, name, "Running"));
  await listens(probe, ports);
  return probe;
}

/** A pod runs before its program does, and what is not listened on yet would look refused. */
async function listens(probe: Probe, ports: readonly number[]): Promise<void> {
  await until(async () => {
    const words = await probe.ask(ports.map((port) => [probe.address, port]));
    return words.every((word) => word === "open");
  }, 60_000);
}

/** Waits for a pod's address, and for its phase where one is given. */
export async function addressOf(
  admin: KubeClient,
  namespace: string,
  name: string,
  phase?: string,
): Promise<string> {
  let found: (KubePod & { readonly status?: { readonly podIP?: string } }) | undefined;
  await until(async () => {
    found = await admin.request("GET", `${pathOf("Pod", namespace)}/${name}`);
    return found?.status?.podIP !== undefined && [undefined, found.status.phase].includes(phase);
  }, 60_000).catch((cause: unknown) => {
    throw new Error(`the pod '${name}' does not run: ${JSON.stringify(found?.status)}`, { cause });
  });
  return found?.status?.podIP ?? "";
}

/** Of a CronJob. */
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly [Readonly<Record<string, unknown>>] };
}

/** The pod of a run in all but its program, which listens. */
export function podLike(
  { metadata, spec }: PodTemplate,
  where: string,
  name: string,
  ports: readonly number[],
): KubeObject {
  const [container] = spec.containers;
  const command = probeCommand(nodePath, "listen", ...ports.map(String));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name, namespace: where },
    spec: { ...spec, containers: [{ ...container, args: [], command }] },
  };
}

/** A pod that listens, and has no part in anything. */
export function barePod(image: string, where: string, name: string, ports: readonly number[]): KubeObject {
  const command = probeCommand(nodePath, "listen", ...ports.map(String));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: where },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: "probe", image, imagePullPolicy: "IfNotPresent", command }],
    },
  };
}

export interface Outside extends Probe {
  stop(): Promise<void>;
}

/** A network that this machine routes to and no cluster knows; its one machine listens on the ports. */
export async function raiseOutside(ports: readonly number[]): Promise<Outside> {
  const ip = (...args: readonly string[]): void => void execFileSync("ip", args, { stdio: "pipe" });
  const inside = ["netns", "exec", outsideName];
  const fall = (): void => {
    try {
      ip("netns", "del", outsideName);
    } catch {
      // There is none.
    }
  };
  // Of a run that was killed.
  fall();
  ip("netns", "add", outsideName);
  try {
    ip("link", "add", "holdfast-out0", "type", "veth", "peer", "name", "out1", "netns", outsideName);
    ip("addr", "add", `${outsideGateway}/24`, "dev", "holdfast-out0");
    ip("link", "set", "holdfast-out0", "up");
    ip("-n", outsideName, "addr", "add", `${outsideAddress}/24`, "dev", "out1");
    for (const link of ["lo", "out1"]) ip("-n", outsideName, "link", "set", link, "up");
    ip("-n", outsideName, "route", "add", "default", "via", outsideGateway);
  } catch (error) {
    fall();
    throw error;
  }
  const child = spawn("ip", [...inside, ...probeCommand(process.execPath, "listen", ...ports.map(String))], {
    stdio: "ignore",
  });
  const last = (): void => {
    child.kill("SIGKILL");
    fall();
  };
  process.once("exit", last);
  const outside: Outside = {
    address: outsideAddress,
    ask: (targets) =>
      answers("ip", [...inside, ...probeCommand(process.execPath, "ask", JSON.stringify(targets))]),
    stop: async () => {
      process.removeListener("exit", last);
      await killed(child);
      fall();
    },
  };
  await listens(outside, ports);
  return outside;
}
