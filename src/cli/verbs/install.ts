import { Option } from "commander";
import { loadEngine } from "../../engine/engines.ts";
import type { StoreEndpoint } from "../../platform/kubernetes/objects/drill-network.ts";
import { type InstallSettings, installObjects } from "../../platform/kubernetes/objects/install.ts";
import { usualSettings } from "../../platform/kubernetes/objects/settings.ts";
import type { PolicySet } from "../../policy/model.ts";
import type { ClusterAccount } from "../../state/cluster-account.ts";
import { print, printJson } from "../console.ts";
import { verbCommand } from "../options.ts";
import { readPolicies } from "../wire.ts";

interface InstallOptions {
  readonly output: "yaml" | "json";
  readonly namespace: string;
  readonly image: string;
  readonly repository: string;
  readonly drillNamespace?: string;
  readonly policies?: string;
  readonly storeNetwork?: readonly string[];
}

export function installCommand() {
  return verbCommand("install", "prints the objects of an installation in a cluster, for kubectl apply", [
    "text",
  ])
    .addOption(new Option("-o, --output <form>", "how to print").choices(["yaml", "json"]).default("yaml"))
    .option("--namespace <name>", "where everything lives", usualSettings.namespace)
    .option("--image <name>", "image of the reconciler and of the runs", usualSettings.image)
    .option("--repository <url>", "the policy repository", "https://git.example.org/backup-policies.git")
    .option("--drill-namespace <name>", "where drills run; the other one's name with -drills behind it")
    .option("--policies <dir>", "with what the runs and drills of these policies need in the cluster")
    .option("--store-network <cidr...>", "where stores are that policies call by name; any public address")
    .action(async (options: InstallOptions) => {
      const { output, namespace, image, repository, drillNamespace, policies, storeNetwork } = options;
      const settings: InstallSettings = {
        ...usualSettings,
        namespace,
        ...(drillNamespace === undefined ? {} : { drillNamespace }),
        image,
        repositoryUrl: repository,
        ...(policies === undefined
          ? {}
          : await needsOf((await readPolicies({ policies })).set, storeNetwork)),
      };
      const objects = installObjects(settings);
      if (output === "json") printJson({ apiVersion: "v1", kind: "List", items: objects });
      else print((await installYaml(objects)).trimEnd());
    });
}

/** What the policies' runs need to do in the cluster, and their drills to reach. */
export async function needsOf(
  set: PolicySet,
  networks?: readonly string[],
): Promise<Required<Pick<InstallSettings, "accounts" | "stores">>> {
  return { accounts: await accountsOf(set), stores: endpointsOf(set, networks) };
}

function endpointsOf(set: PolicySet, networks: readonly string[] | undefined): readonly StoreEndpoint[] {
  return set.stores
    .filter((store) => store.type === "s3")
    .map(({ endpoint }) => {
      const { hostname, port, protocol } = new URL(endpoint);
      return {
        host: hostname.replace(/^\[|\]$/g, ""),
        port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port),
        ...(networks === undefined ? {} : { networks }),
      };
    });
}

/** What the policies' engines ask for. */
export async function accountsOf(set: PolicySet): Promise<readonly ClusterAccount[]> {
  const accounts: ClusterAccount[] = [];
  for (const policy of set.policies) {
    const engine = await loadEngine(policy.component);
    accounts.push(...(engine?.accounts?.(policy) ?? []));
  }
  return accounts;
}

/** The objects as one stream of YAML documents. */
export async function installYaml(objects: readonly object[]): Promise<string> {
  const { writeYaml } = await import("../../policy/write-yaml.ts");
  return objects.map((object) => `---\n${writeYaml(object)}`).join("");
}
