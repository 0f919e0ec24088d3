import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { InvalidArgumentError } from "commander";
import type { AdoptedFile, Adoption } from "../../adopt/adoption.ts";
import { builtKinds } from "../../engine/engines.ts";
import { HoldfastError } from "../../errors.ts";
import type { PolicyFile } from "../../policy/model.ts";
import { adoptionJson, renderAdoption } from "../../report/adoption.ts";
import { shellWord } from "../../shell-word.ts";
import { systemClock } from "../../time/clock.ts";
import { paintFor, print, printJson } from "../console.ts";
import { verbCommand } from "../options.ts";
import { decodeBundle, readPolicyPaths, readSchemas } from "../policy-files.ts";

interface AdoptCommandOptions {
  readonly format: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
  readonly all?: boolean;
  readonly to: string;
  readonly cluster?: string;
  readonly runner?: string;
  readonly escrow?: string;
}

export function adoptCommand() {
  return verbCommand("adopt", "write policies for what a cluster already runs; the cluster is only read")
    .option("--kubeconfig <file>", "the cluster; KUBECONFIG, the pod's own or ~/.kube/config when not given")
    .option("--namespace <name>", "look in this namespace alone", parseName)
    .option("--all", "look in every namespace, which is what is done without --namespace too")
    .option("--to <dir>", "folder the policies go to; no file in it is overwritten", "policies")
    .option("--cluster <name>", "failure domain of the sources, such as the cluster's name", parseName)
    .option("--runner <recipient>", "age1… line to encrypt proposed backups to", parseRecipient)
    .option("--escrow <recipient>", "age1… line of the key that is kept off-line", parseRecipient)
    .action(async (options: AdoptCommandOptions) => {
      const { to, kubeconfig, namespace } = options;
      if (namespace !== undefined && options.all === true)
        throw new HoldfastError("usage", "--namespace and --all say different things");
      if (options.escrow !== undefined && options.runner === undefined)
        throw new HoldfastError("usage", "--escrow goes with --runner: drills need a key of their own");
      const existing = await existingFiles(to);
      const adoption = await read(options, existing);
      await writeNew(to, adoption.files);
      const next = commandsAfter(adoption, { to, ...(kubeconfig === undefined ? {} : { kubeconfig }) });
      if (options.format === "json") return printJson(adoptionJson(adoption, to, next));
      print(renderAdoption(adoption, { to, next, paint: paintFor(process.stdout) }));
    });
}

async function read(options: AdoptCommandOptions, existing: readonly PolicyFile[]): Promise<Adoption> {
  const { adopt } = await import("../../adopt/adopt.ts");
  const { openKubeClient } = await import("../../platform/kubernetes/client.ts");
  const { readCluster } = await import("../../platform/kubernetes/read-cluster.ts");
  const { kubeconfig, namespace, runner, escrow } = options;
  const client = openKubeClient(systemClock, kubeconfig === undefined ? {} : { kubeconfig });
  try {
    const found = await readCluster({
      client,
      ...(namespace === undefined ? {} : { namespace }),
      decode: (bytes) => decodeBundle(bytes, "the cluster's ConfigMap"),
    });
    return adopt(found, {
      schemas: await readSchemas(),
      builtKinds,
      nowMs: systemClock.nowMs(),
      failureDomain: options.cluster ?? "",
      recipients: {
        ...(runner === undefined ? {} : { runner }),
        ...(escrow === undefined ? {} : { escrow }),
      },
      existing,
    });
  } finally {
    client.close();
  }
}

/** YAML that is in the folder already, with paths below it; none where there is no folder yet. */
async function existingFiles(to: string): Promise<readonly PolicyFile[]> {
  try {
    if (!(await stat(to)).isDirectory()) throw new HoldfastError("usage", `'${to}' is no folder`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const files = await readPolicyPaths([to]).catch((error: unknown) => {
    // A folder without YAML is as good as an empty one.
    if (error instanceof HoldfastError && error.code === "usage") return [];
    throw error;
  });
  return files.map((file) => ({ ...file, path: relative(to, file.path) }));
}

/** Looked at as a whole first: either all of them are new, or none is written. @throws target-not-empty */
async function writeNew(to: string, files: readonly AdoptedFile[]): Promise<void> {
  const there: string[] = [];
  for (const { path } of files) if (await isThere(join(to, path))) there.push(path);
  if (there.length > 0) {
    throw new HoldfastError(
      "target-not-empty",
      `'${to}' has ${there.slice(0, 5).join(", ")} already${there.length > 5 ? ` and ${there.length - 5} more` : ""}; nothing was written`,
    );
  }
  for (const { path, bytes } of files) {
    const file = join(to, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes, { flag: "wx" });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

/** What a person types next; the cluster, namespace and image are those that were found. */
function commandsAfter(
  { files, own }: Adoption,
  { to, kubeconfig }: { readonly to: string; readonly kubeconfig?: string },
): readonly string[] {
  if (files.length === 0) return [];
  const variables = {
    ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }),
    ...(own === undefined ? {} : { HOLDFAST_NAMESPACE: own.namespace }),
    ...(own === undefined || own.image === "" ? {} : { HOLDFAST_IMAGE: own.image }),
  };
  const set = Object.entries(variables).map(([name, value]) => `${name}=${shellWord(value)} `);
  const level =
    own === undefined || ["", "warn"].includes(own.logLevel) ? "" : ` --log-level ${own.logLevel}`;
  return [
    `holdfast lint ${shellWord(to)}`,
    `${set.join("")}holdfast plan --policies ${shellWord(to)} --platform kubernetes${level}`,
  ];
}

function parseName(text: string): string {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError("lower-case letters, digits and dashes are wanted, at most 63");
}

function parseRecipient(text: string): string {
  if (/^age1[02-9ac-hj-np-z]{58}$/.test(text)) return text;
  throw new InvalidArgumentError("the age1… line that holdfast key new prints is wanted");
}
