/** Secrets in the demo: an OpenBao of its own, a password overwritten with all its history, and the escrowed key. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Api, openApi } from "../../engine/secrets/api.ts";
import type { ExportedMount } from "../../engine/secrets/model.ts";
import { healthOf, serverSettings } from "../../engine/secrets/server.ts";
import { openExec } from "../../exec/system.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { restore } from "../../operate/restore.ts";
import { rememberSecret } from "../../secret.ts";
import { type DemoComponent, type DemoServer, prove } from "./component.ts";
import { findProgram } from "./find-program.ts";
import type { ChoosePort } from "./source-server.ts";
import { ended, requireThat, type Shown, type Stage, startProgram, until, untilCaptured } from "./stage.ts";

const secretsCount = 40;
const lostPath = "app/7";
export const secretsInDemo: DemoComponent = {
  component: "secrets",
  missing: async (exec) => ((await programIn(exec)) === undefined ? "sh .ci/openbao.sh" : undefined),
  start,
};

async function programIn(exec = openExec()): Promise<string | undefined> {
  for (const name of ["bao", "vault"]) {
    const found = await findProgram(exec, name, "openbao-", "bin");
    if (found !== undefined) return found;
  }
  return undefined;
}

async function start(folder: string, signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer> {
  const program = (await programIn()) ?? "bao";
  await mkdir(folder, { mode: 0o700 });
  const [port, clusterPort] = [await choosePort(8200), await choosePort(8201)];
  const settings = join(folder, "server.hcl");
  await writeFile(settings, serverSettings(port, clusterPort, undefined));
  const child = startProgram(program, ["server", `-config=${settings}`]);
  const address = `http://127.0.0.1:${port}`;
  const token = await initialise(address, signal);
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, token, { mode: 0o600 });
  const api = openApi({ address, token });
  await api.write("sys/mounts/secret", { type: "kv", options: { version: "2" } });
  const isMounted = async () => (await api.ask("GET", "secret/config")).status === 200 || undefined;
  await until("OpenBao has mounted a key-value engine", isMounted, signal);
  for (let i = 1; i <= secretsCount; i += 1)
    await api.write(`secret/data/app/${i}`, { data: { password: `demo-${i}-${crypto.randomUUID()}` } });
  await api.write(`secret/data/${lostPath}`, { data: { password: `demo-${crypto.randomUUID()}` } });
  const { body } = await api.ask("GET", "sys/health");
  const { version = "" } = (body ?? {}) as { readonly version?: string };
  return {
    title: `OpenBao ${version}`.trim(),
    policy: policyText(address, tokenFile, dirname(program)),
    unit: "secrets",
    count: async () => (await api.list("secret/metadata/app")).length,
    show: (stage, name) => overwrite(stage, name, api),
    stop: async () => {
      api.close();
      await ended(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Its root token. */
async function initialise(address: string, signal: AbortSignal): Promise<string> {
  const api = openApi({ address, token: "" });
  const healthy = (wanted: string) =>
    until(`OpenBao is ${wanted}`, async () => (await healthOf(api)) === wanted || undefined, signal);
  try {
    await healthy("uninitialised");
    const made = await api.write("sys/init", { secret_shares: 1, secret_threshold: 1 }, "PUT");
    const token = String(made["root_token"]);
    const [key] = made["keys_base64"] as readonly string[];
    rememberSecret(token);
    rememberSecret(String(key));
    await api.write("sys/unseal", { key }, "PUT");
    await healthy("active");
    return token;
  } finally {
    api.close();
  }
}

/** What the server says of the secret's current version. */
async function currentOf(api: Api): Promise<string> {
  const found = await api.read(`secret/data/${lostPath}`);
  return JSON.stringify(found?.["data"] ?? null);
}

async function overwrite(stage: Stage, name: string, api: Api): Promise<Shown> {
  const { escrow, say, workdir } = stage;
  const policy = findPolicy(escrow, name);
  const { manifest } = await untilCaptured(stage, policy);
  const before = await currentOf(api);
  await api.write(`secret/data/${lostPath}`, { data: { password: "changed by mistake" } });
  await api.write(`secret/destroy/${lostPath}`, { versions: [1, 2] }, "PUT");
  const lostAtMs = Date.now();
  say(
    `DISASTER: secret ${lostPath} is overwritten, its earlier versions are destroyed, and the runner's key is gone`,
  );
  const directory = join(workdir, `restored-${name}`);
  const outcome = await restore(escrow, policy, {
    target: { kind: "point" },
    point: manifest.id,
    directory,
    start: false,
  });
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  const kept = await versionsIn(directory);
  await api.write(`secret/data/${lostPath}`, { data: kept.at(-1) });
  const rtoSeconds = (Date.now() - lostAtMs) / 1000;
  requireThat((await currentOf(api)) === before, `${name}: the value that came back is another one`);
  say(
    `  with the escrowed key alone, in ${rtoSeconds.toFixed(1)} s: ${kept.length} versions read back, and the right one is in force again`,
  );
  const proof = await prove(stage, escrow, name, manifest.id);
  const rpoSeconds = Math.max(0, lostAtMs - Date.parse(manifest.consistentAt)) / 1000;
  return { policy: name, point: manifest.id, finishedAt: manifest.finishedAt, proof, rpoSeconds, rtoSeconds };
}

/** Every restored value of the secret, oldest first; the restored files are gone afterwards: they hold values. */
async function versionsIn(directory: string): Promise<readonly unknown[]> {
  try {
    for (const file of (await readdir(directory)).filter((f) => f.endsWith(".json"))) {
      const document = JSON.parse(await readFile(join(directory, file), "utf8")) as Partial<ExportedMount>;
      const found = document.secrets?.find((secret) => secret.path === lostPath);
      if (found !== undefined) return found.versions.map(({ data }) => data);
    }
    return [];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function policyText(address: string, tokenFile: string, toolDirectory: string): string {
  return `# An export on every change; it opens with the escrowed key alone.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: secrets}
spec:
  component: secrets
  owner: demo
  failureDomain: demo-server
  connection: {vaultAddress: "${address}", tokenFrom: {file: ${tokenFile}}}
  objectives: {rpo: 25h, rto: 30m, reach: forever}
  schedule: {onChange: {debounce: 1s, atLeastEvery: 1d}}
  capture:
    method: vault-export
    options: {vaultMounts: [secret/], versions: all, toolDirectory: ${toolDirectory}}
  store: {name: vault, prefix: secrets/}
  encryption: {recipients: [runner, escrow]}
  retention: forever
  verification: standard
  assertions: [{sql: "count secret/ == ${secretsCount}"}]
`;
}
