/**
 * kube-router's firewall on the tests' node, which makes NetworkPolicies true there by iptables and ipset. Both are the
 * machine's own: what it has made is gone after `stop`.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Cluster, hasProgram, quietly } from "./kubernetes.ts";
import { pause, until } from "./waiting.ts";

const version = "2.1.0";
const program = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "holdfast",
  `kube-router-${version}`,
  "kube-router",
);
/** Whether packets between pods of one bridge go by iptables at all. */
const bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables";
/** No pod's, no server's: packets to the services' range are let through to a proxy, which this node has none of. */
const noServices = "198.51.100.0/24";

/** Why nothing can enforce policies here, or undefined. */
export function whyNoEnforcer(): string | undefined {
  if (!existsSync(program)) return "kube-router is not built";
  if (process.getuid?.() !== 0) return "iptables needs root";
  for (const name of ["ipset", "iptables-save", "iptables-restore"])
    if (!hasProgram(name)) return `${name} is not installed`;
  if (!existsSync(bridged)) quietly("modprobe", ["br_netfilter"]);
  return existsSync(bridged) ? undefined : "the kernel keeps bridges from iptables";
}

export interface NetworkEnforcer {
  /**
   * Names of the policies that packets from and to a pod's address are held to, in order; undefined while the pod is
   * not known yet.
   */
  policiesOf(address: string): readonly string[] | undefined;
  stop(): Promise<void>;
}

export async function startEnforcer(cluster: Cluster): Promise<NetworkEnforcer> {
  const before = readFileSync(bridged, "utf8");
  writeFileSync(bridged, "1");
  // Of a run that was killed.
  takeAway();
  const path = join(cluster.folder, "kube-router.log");
  const log = openSync(path, "a");
  const child = spawn(
    program,
    [
      ...["--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--enable-cni=false"],
      ...[`--kubeconfig=${cluster.kubeconfig}`, `--service-cluster-ip-range=${noServices}`],
      // Node ports are open to everybody by default, and no server of the tests is on one.
      ...["--service-node-port-range=32766-32767", "--health-port=0", "--v=1"],
    ],
    {
      stdio: ["ignore", log, log],
      env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin`, NODE_NAME: "node1" },
    },
  );
  closeSync(log);
  const clean = (): void => {
    takeAway();
    writeFileSync(bridged, before);
  };
  const last = (): void => {
    child.kill("SIGKILL");
    clean();
  };
  process.once("exit", last);
  const stop = async (): Promise<void> => {
    process.removeListener("exit", last);
    // A moment for the writing that is under way.
    child.kill("SIGTERM");
    for (let n = 0; n < 50 && child.exitCode === null && child.signalCode === null; n += 1) await pause(100);
    child.kill("SIGKILL");
    clean();
  };
  try {
    await until(() => /sync iptables took/.test(readFileSync(path, "utf8")), 60_000);
  } catch (cause) {
    const words = readFileSync(path, "utf8").split("\n").slice(-10).join("\n");
    await stop();
    throw new Error(`kube-router has not begun: ${words}`, { cause });
  }
  return { policiesOf, stop };
}

function policiesOf(address: string): readonly string[] | undefined {
  const rules = filterRules();
  const chain = rules
    .filter((rule) => rule.startsWith(`-A KUBE-ROUTER-INPUT -s ${address}/32 `))
    .map((rule) => / -j (KUBE-POD-FW-\S+)/.exec(rule)?.[1])
    .at(-1);
  if (chain === undefined) return undefined;
  return rules
    .filter((rule) => rule.startsWith(`-A ${chain} `))
    .flatMap((rule) => /"run through nw policy (\S+)"/.exec(rule)?.[1] ?? [])
    .sort();
}

function filterRules(): readonly string[] {
  return execFileSync("iptables-save", ["-t", "filter"], {
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
  }).split("\n");
}

/** Its chains with the jumps to them, and its sets; does nothing where there are none. */
function takeAway(): void {
  const rules = filterRules();
  const ours = /^(KUBE-ROUTER|KUBE-POD-FW|KUBE-NWPLCY)-/;
  const chains = rules.flatMap((rule) => /^:(\S+)/.exec(rule)?.[1] ?? []).filter((name) => ours.test(name));
  const jumps = rules.filter((rule) => /^-A (INPUT|FORWARD|OUTPUT) .*-j KUBE-ROUTER-/.test(rule));
  const input = [
    "*filter",
    ...jumps.map((rule) => rule.replace(/^-A/, "-D")),
    ...chains.map((name) => `-F ${name}`),
    ...chains.map((name) => `-X ${name}`),
    "COMMIT\n",
  ].join("\n");
  if (chains.length > 0) execFileSync("iptables-restore", ["--noflush", "--wait", "5"], { input });
  const sets = execFileSync("ipset", ["list", "-name"], { encoding: "utf8" }).split("\n");
  for (const name of sets.filter((s) => /^(KUBE-(SRC|DST)-|TMP-[A-Z2-7]{16}$)/.test(s)))
    quietly("ipset", ["destroy", name]);
}
