import { Option } from "commander";
import { loadEngine } from "../../engine/engines.ts";
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
  readonly policies?: string;
}

export function installCommand() {
  return verbCommand("install", "prints the objects of an installation in a cluster, for kubectl apply", [
    "text",
  ])
    .addOption(new Option("-o, --output <form>", "how to print").choices(["yaml", "json"]).default("yaml"))
    .option("--namespace <name>", "where everything lives", usualSettings.namespace)
    .option("--image <name>", "image of the reconciler and of the runs", usualSettings.image)
    .option("--repository <url>", "the policy repository", "https://git.example.org/backup-policies.git")
    .option("--policies <dir>", "with the rights that the runs of these policies need in the cluster")
    .action(async ({ output, namespace, image, repository, policies }: InstallOptions) => {
      const settings: InstallSettings = {
        ...usualSettings,
        namespace,
        image,
        repositoryUrl: repository,
        ...(policies === undefined
          ? {}
          : { accounts: await accountsOf((await readPolicies({ policies })).set) }),
      };
      const objects = installObjects(settings);
      if (output === "json") printJson({ apiVersion: "v1", kind: "List", items: objects });
      else print((await installYaml(objects)).trimEnd());
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
