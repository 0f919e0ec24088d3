/**
 * A real Kubernetes for the tests, on free ports and in a folder of its own. `control` is etcd, API server and
 * controller-manager, up in seconds; `node` adds scheduler, containerd and kubelet, so that pods run. Ends only
 * what it has started.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:https";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { packImage } from "./image.ts";
import { unmountBelow } from "./mounts.ts";
import { freePorts } from "./ports.ts";
import { killed, pause, until } from "./waiting.ts";

const version = "1.34.4";
const programs = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "holdfast",
  `kubernetes-${version}`,
);
const bridge = "holdfast0";
/** Where pods find the machine. */
export const hostOfPods = "10.88.0.1";

/** Why there can be no cluster here, or undefined. */
export function whyNoCluster(level: "control" | "node" = "control"): string | undefined {
  if (!existsSync(join(programs, "kubelet"))) return "the Kubernetes programs are not built";
  if (!hasProgram("etcd")) return "etcd is not installed";
  if (level === "control") return undefined;
  if (process.getuid?.() !== 0) return "a node needs root";
  for (const name of ["containerd", "runc", "iptables", "gcc", "ctr"])
    if (!hasProgram(name)) return `${name} is not installed`;
  return existsSync("/usr/lib/cni/bridge") ? undefined : "the CNI plugins are not installed";
}

/**
 * The bridge of the pods' network is there with its address before the first pod is, so that servers of a test can
 * listen where pods reach them, and the node has an address. It goes with the cluster.
 */
export function raiseBridge(): void {
  quietly("ip", ["link", "add", bridge, "type", "bridge"]);
  quietly("ip", ["addr", "add", `${hostOfPods}/16`, "dev", bridge]);
  quietly("ip", ["link", "set", bridge, "up"]);
}

/** The API server's address as pods have it in their environment, which elsewhere kube-proxy leads to it. */
export const apiOfPods = { host: "10.96.0.1", port: 443 } as const;

/** Gives this machine the address of {@link apiOfPods}, for a server of the test to listen on; goes with the bridge. */
export function raiseApiAddress(): void {
  quietly("ip", ["addr", "add", `${apiOfPods.host}/32`, "dev", bridge]);
}

/** On the PATH, or where an administrator's programs are. */
export function hasProgram(name: string): boolean {
  return `${process.env["PATH"]}:/usr/sbin:/sbin`.split(":").some((folder) => existsSync(join(folder, name)));
}

export interface Cluster {
  readonly folder: string;
  /** Every request with who made it and what became of it, one JSON a line. */
  readonly auditLog: string;
  readonly port: number;
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** A kubeconfig of a bearer token, such as a service account's. */
  kubeconfigFor(token: string, namespace: string): string;
  /** Makes an image known to the node; `docker.io/local/NAME:1` unless told. */
  importImage(tar: string): void;
  stop(): Promise<void>;
}

/** Of service accounts what they ask for, without contents; of everybody else nothing. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [{ level: "Metadata", userGroups: ["system:serviceaccounts"] }, { level: "None" }],
};

const nodeWaitMs = 10 * 60_000;

interface Running {
  readonly name: string;
  readonly child: ChildProcess;
}

export async function startCluster(level: "control" | "node"): Promise<Cluster> {
  // Two kubelets on one machine end each other's pods; the other run is waited for.
  if (level === "node") await until(() => !isNodeUp(), nodeWaitMs);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-kube-"));
  const running: Running[] = [];
  const ports = await freePorts(3);
  const [etcdPort = 0, peerPort = 0, port = 0] = ports;
  const start = (name: string, command: string, args: readonly string[]): void => {
    const log = openSync(join(folder, `${name}.log`), "a");
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", log, log] });
    closeSync(log);
    child.on("error", () => {});
    running.push({ name, child });
  };
  const stop = async (): Promise<void> => {
    await stopAll(folder, running);
    // What the programs of pods still hold goes with them, a moment after the containers.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  process.once("exit", () => {
    for (const { child } of running) child.kill("SIGKILL");
  });
  try {
    makeCertificates(folder);
    const kubeconfig = writeKubeconfig(folder, "admin", port, {
      "client-certificate-data": base64(join(folder, "admin.crt")),
      "client-key-data": base64(join(folder, "admin.key")),
    });
    writeFileSync(join(folder, "audit.json"), JSON.stringify(auditPolicy));
    start("etcd", "etcd", [
      `--data-dir=${join(folder, "etcd")}`,
      `--listen-client-urls=http://127.0.0.1:${etcdPort}`,
      `--advertise-client-urls=http://127.0.0.1:${etcdPort}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      "--unsafe-no-fsync",
    ]);
    start("apiserver", join(programs, "kube-apiserver"), [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      `--secure-port=${port}`,
      "--tls-cert-file=apiserver.crt",
      "--tls-private-key-file=apiserver.key",
      "--client-ca-file=ca.crt",
      "--service-account-key-file=sa.pub",
      "--service-account-signing-key-file=sa.key",
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=RBAC",
      "--allow-privileged=true",
      // The node's name leads nowhere.
      "--kubelet-preferred-address-types=InternalIP",
      "--audit-policy-file=audit.json",
      "--audit-log-path=audit.log",
    ]);
    await until(() => isReady(folder, port), 90_000);
    start("controller-manager", join(programs, "kube-controller-manager"), [
      `--kubeconfig=${kubeconfig}`,
      "--service-account-private-key-file=sa.key",
      "--root-ca-file=ca.crt",
      "--use-service-account-credentials",
      "--leader-elect=false",
      `--secure-port=${(await freePorts(1))[0]}`,
    ]);
    if (level === "node") await startNode(folder, kubeconfig, start);
    return {
      folder,
      auditLog: join(folder, "audit.log"),
      port,
      kubeconfig,
      kubeconfigFor: (token, namespace) =>
        writeKubeconfig(folder, `token-${Date.now()}`, port, { token }, namespace),
      importImage: (tar) => importImage(folder, tar),
      stop,
    };
  } catch (error) {
    const tails = running.map(({ name }) => `${name}: ${tail(join(folder, `${name}.log`))}`);
    await stop();
    throw new Error(`the cluster did not come up: ${String(error)}\n${tails.join("\n")}`);
  }
}

async function startNode(
  folder: string,
  kubeconfig: string,
  start: (name: string, command: string, args: readonly string[]) => void,
): Promise<void> {
  start("scheduler", join(programs, "kube-scheduler"), [
    `--kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    `--secure-port=${(await freePorts(1))[0]}`,
  ]);
  const socket = join(folder, "containerd.sock");
  mkdirSync(join(folder, "cni"));
  writeFileSync(join(folder, "cni", "10-bridge.conflist"), networkConfig(folder));
  writeFileSync(join(folder, "containerd.toml"), containerdConfig(folder));
  start("containerd", "containerd", ["-c", "containerd.toml"]);
  writeFileSync(join(folder, "pause.c"), "#include <unistd.h>\nint main(void){for(;;)pause();}\n");
  execFileSync("gcc", ["-static", "-o", "pause", "pause.c"], { cwd: folder });
  mkdirSync(join(folder, "pause-root"));
  execFileSync("cp", ["pause", "pause-root/pause"], { cwd: folder });
  const image = packImage(join(folder, "pause-root"), join(folder, "pause.tar"), "docker.io/local/pause:1", [
    "/pause",
  ]);
  await until(() => {
    try {
      execFileSync("ctr", ["-a", socket, "version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
  importImage(folder, image);
  raiseBridge();
  const [kubeletPort, healthPort] = await freePorts(2);
  writeFileSync(
    join(folder, "kubelet.json"),
    JSON.stringify({
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: "AlwaysAllow" },
      cgroupDriver: "cgroupfs",
      cgroupRoot: "/",
      failSwapOn: false,
      failCgroupV1: false,
      enforceNodeAllocatable: [],
      evictionHard: { "memory.available": "100Mi" },
      containerRuntimeEndpoint: `unix://${socket}`,
      port: kubeletPort,
      healthzPort: healthPort,
      syncFrequency: "10s",
      registryPullQPS: 0,
    }),
  );
  start("kubelet", join(programs, "kubelet"), [
    `--kubeconfig=${kubeconfig}`,
    "--config=kubelet.json",
    `--root-dir=${join(folder, "kubelet")}`,
    "--hostname-override=node1",
    // A loopback address is refused, and then neither node nor pods are told to have one.
    `--node-ip=${hostOfPods}`,
  ]);
}

function importImage(folder: string, tar: string): void {
  execFileSync("ctr", ["-a", join(folder, "containerd.sock"), "-n", "k8s.io", "images", "import", tar], {
    stdio: "ignore",
  });
}

function isNodeUp(): boolean {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--hostname-override=node1");
      } catch {
        return false;
      }
    });
}

async function stopAll(folder: string, running: readonly Running[]): Promise<void> {
  const end = async (name: string): Promise<void> => {
    const child = running.find((r) => r.name === name)?.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    for (let n = 0; n < 50 && child.exitCode === null && child.signalCode === null; n += 1) await pause(100);
    await killed(child);
  };
  await end("kubelet");
  const socket = join(folder, "containerd.sock");
  if (existsSync(socket)) {
    const ctr = (...args: string[]): string => {
      try {
        return execFileSync("ctr", ["-a", socket, "-n", "k8s.io", ...args], {
          encoding: "utf8",
          stdio: "pipe",
        });
      } catch {
        return "";
      }
    };
    for (const id of ctr("tasks", "ls", "-q").split("\n")) if (id !== "") ctr("tasks", "kill", "-s", "9", id);
    await pause(500);
    for (const id of ctr("tasks", "ls", "-q").split("\n")) if (id !== "") ctr("tasks", "rm", "-f", id);
  }
  for (const name of ["scheduler", "controller-manager", "apiserver", "etcd", "containerd"]) await end(name);
  unmountBelow(folder);
  if (running.some((r) => r.name === "kubelet")) quietly("ip", ["link", "del", bridge]);
}

/** Runs it and takes a failure for: it is as wanted already, or not there. */
export function quietly(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: "ignore" });
  } catch {
    // Nothing to be done.
  }
}

function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  openssl("genrsa", "-out", "sa.key", "2048");
  openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=ca",
  );
  writeFileSync(
    join(folder, "names.cnf"),
    `subjectAltName=IP:127.0.0.1,IP:10.96.0.1,IP:${hostOfPods},DNS:localhost,DNS:kubernetes.default.svc`,
  );
  for (const [name, subject] of [
    ["apiserver", "/CN=kube-apiserver"],
    ["admin", "/O=system:masters/CN=admin"],
  ] as const) {
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      subject,
    );
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", "2", "-out", `${name}.crt`, "-extfile", "names.cnf"],
    );
  }
}

function writeKubeconfig(
  folder: string,
  name: string,
  port: number,
  user: Readonly<Record<string, string>>,
  namespace?: string,
): string {
  const path = join(folder, `${name}.kubeconfig`);
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    "certificate-authority-data": base64(join(folder, "ca.crt")),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    contexts: [
      { name: "c", context: { cluster: "c", user: "u", ...(namespace === undefined ? {} : { namespace }) } },
    ],
    "current-context": "c",
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

function isReady(folder: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port,
        path: "/readyz",
        ca: readFileSync(join(folder, "ca.crt")),
        cert: readFileSync(join(folder, "admin.crt")),
        key: readFileSync(join(folder, "admin.key")),
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

function networkConfig(folder: string): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "bridge",
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        ipMasq: false,
        ipam: {
          type: "host-local",
          dataDir: join(folder, "addresses"),
          ranges: [[{ subnet: "10.88.0.0/16" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  });
}

function containerdConfig(folder: string): string {
  return `version = 2
root = "${folder}/containerd-root"
state = "${folder}/containerd-state"
[grpc]
address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/local/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${folder}/cni"
`;
}

function base64(path: string): string {
  return readFileSync(path).toString("base64");
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").slice(-3).join("\n") : "no log";
}
