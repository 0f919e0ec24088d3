/** Secrets, and ConfigMaps if asked for, of the policy's namespaces, through kubectl. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { findTool } from "../vendor-tool.ts";
import type { ExportedObjects, KubernetesObject, LeftOut } from "./model.ts";
import { settingsOf } from "./settings.ts";

const deadlineMs = 60_000;
/** An object is at most 1.5 MB; ten of them fit into one answer of a program. */
const largePage = 10;
const usualPage = 200;

/** What is in a list has neither a kind nor a version of its own. */
type Found = Omit<KubernetesObject, "apiVersion" | "kind">;

interface FoundList {
  readonly items?: readonly Found[];
  readonly metadata?: { readonly continue?: string };
}

/** kubectl with the policy's cluster; no value ever stands in the arguments. @throws tool-missing */
export async function kubectlArgv(
  context: EngineContext,
  ...rest: readonly string[]
): Promise<[string, ...string[]]> {
  const { kubernetes } = settingsOf(context.policy);
  const program = await findTool(context, "kubectl", {
    hint: "install kubectl, or name its folder in capture.options.toolDirectory",
  });
  return [
    program,
    ...(kubernetes?.kubeconfig === undefined ? [] : [`--kubeconfig=${kubernetes.kubeconfig}`]),
    ...(kubernetes?.context === undefined ? [] : [`--context=${kubernetes.context}`]),
    ...rest,
  ];
}

/** @throws tool-failed naming the namespace; tool-missing */
export async function exportKubernetes(
  context: EngineContext,
): Promise<{ readonly document: ExportedObjects; readonly leftOut: LeftOut }> {
  const { namespaces = [], configMaps = false } = settingsOf(context.policy).kubernetes ?? {};
  const items: KubernetesObject[] = [];
  const leftOut: Record<string, number> = {};
  for (const namespace of namespaces) {
    for (const kind of configMaps ? (["Secret", "ConfigMap"] as const) : (["Secret"] as const)) {
      for (const found of await listObjects(context, namespace, kind)) {
        const rule = ruleAgainst(kind, found);
        if (rule === undefined) items.push(cleaned(kind, found));
        else leftOut[rule] = (leftOut[rule] ?? 0) + 1;
      }
    }
  }
  items.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return { document: { apiVersion: "v1", kind: "List", items }, leftOut };
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${metadata.namespace}/${kind}/${metadata.name}`;
}

async function listObjects(
  context: EngineContext,
  namespace: string,
  kind: "Secret" | "ConfigMap",
): Promise<readonly Found[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  // A namespace that is not there has no secrets either: that is a mistake in the policy and no empty export.
  await ask(context, path, namespace);
  const found: Found[] = [];
  let next = "";
  do {
    const query = `${path}/${kind.toLowerCase()}s?continue=${encodeURIComponent(next)}&limit=`;
    const page = (await ask(context, `${query}${usualPage}`, namespace).catch(() =>
      ask(context, `${query}${largePage}`, namespace),
    )) as FoundList;
    found.push(...(page.items ?? []));
    next = page.metadata?.continue ?? "";
  } while (next !== "");
  return found;
}

async function ask(context: EngineContext, path: string, namespace: string): Promise<unknown> {
  const argv = await kubectlArgv(context, "get", `--raw=${path}`);
  try {
    const { stdout } = await context.exec.run({ argv }, { deadlineMs, signal: context.signal });
    return parse(stdout);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
    throw new HoldfastError("tool-failed", `namespace '${namespace}' cannot be read: ${error.message}`, {
      hint: "the account needs get on the namespace and list on its secrets",
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HoldfastError("tool-failed", "kubectl did not print JSON");
  }
}

/** Why an object is left out: each of these is made anew by what made it, and some are credentials of the moment. */
function ruleAgainst(kind: "Secret" | "ConfigMap", { type, metadata }: Found): string | undefined {
  if (kind === "ConfigMap") return metadata.name === "kube-root-ca.crt" ? "cluster certificates" : undefined;
  if (type === "kubernetes.io/service-account-token") return "service account tokens";
  if (type === "bootstrap.kubernetes.io/token") return "bootstrap tokens";
  if (type === "helm.sh/release.v1") return "helm releases";
  if (metadata.annotations?.["cert-manager.io/certificate-name"] !== undefined) return "issued certificates";
  return undefined;
}

/** Without what the cluster itself adds, so that it can be created again and compared. */
function cleaned(kind: "Secret" | "ConfigMap", found: Found): KubernetesObject {
  const { name, namespace, labels, annotations = {} } = found.metadata;
  // kubectl keeps a copy of the whole object here, values included.
  const kept = Object.entries(annotations).filter(
    ([key]) => key !== "kubectl.kubernetes.io/last-applied-configuration",
  );
  return {
    apiVersion: "v1",
    kind,
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    },
    ...(found.type === undefined ? {} : { type: found.type }),
    ...(found.immutable === undefined ? {} : { immutable: found.immutable }),
    ...(found.data === undefined ? {} : { data: found.data }),
    ...(found.binaryData === undefined ? {} : { binaryData: found.binaryData }),
  };
}
