import { Option } from "commander";
import { type InstallSettings, installObjects } from "../../platform/kubernetes/objects/install.ts";
import { usualSettings } from "../../platform/kubernetes/objects/settings.ts";
import { print, printJson } from "../console.ts";
import { verbCommand } from "../options.ts";

interface InstallOptions {
  readonly output: "yaml" | "json";
  readonly namespace: string;
  readonly image: string;
  readonly repository: string;
}

export function installCommand() {
  return verbCommand("install", "prints the objects of an installation in a cluster, for kubectl apply", [
    "text",
  ])
    .addOption(new Option("-o, --output <form>", "how to print").choices(["yaml", "json"]).default("yaml"))
    .option("--namespace <name>", "where everything lives", usualSettings.namespace)
    .option("--image <name>", "image of the reconciler and of the runs", usualSettings.image)
    .option("--repository <url>", "the policy repository", "https://git.example.org/backup-policies.git")
    .action(async ({ output, namespace, image, repository }: InstallOptions) => {
      const settings: InstallSettings = { ...usualSettings, namespace, image, repositoryUrl: repository };
      const objects = installObjects(settings);
      if (output === "json") printJson({ apiVersion: "v1", kind: "List", items: objects });
      else print((await installYaml(objects)).trimEnd());
    });
}

/** The objects as one stream of YAML documents. */
export async function installYaml(objects: readonly object[]): Promise<string> {
  const { writeYaml } = await import("../../policy/write-yaml.ts");
  return objects.map((object) => `---\n${writeYaml(object)}`).join("");
}
