/** Reads what a cluster runs, and writes nothing: GETs and LISTs alone, page by page. */
import type { ClusterFound, Fields, OwnFound } from "../../adopt/found.ts";
import { HoldfastError } from "../../errors.ts";
import type { Job } from "../../state/job.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import { jobOf } from "./holders.ts";
import { jobLabel, ourSelector, policyLabel } from "./objects/names.ts";
import { drillNamespace, policiesConfigMap } from "./objects/settings.ts";
import type { KubeObject } from "./objects/shapes.ts";

const pageSize = "250";

interface Kind {
  readonly root: string;
  readonly plural: string;
}

const kinds = {
  cronJobs: { root: "/apis/batch/v1", plural: "cronjobs" },
  deployments: { root: "/apis/apps/v1", plural: "deployments" },
  schedules: { root: "/apis/velero.io/v1", plural: "schedules" },
  locations: { root: "/apis/velero.io/v1", plural: "backupstoragelocations" },
} as const;

export interface ReadClusterInput {
  readonly client: KubeClient;
  /** Undefined for all of them. */
  readonly namespace?: string;
  /** The files of a bundle. @throws HoldfastError when it is none */
  readonly decode: (bytes: Uint8Array) => NonNullable<OwnFound["bundle"]>;
}

const rightsHint =
  "adopt lists CronJobs, Deployments and Velero's schedules and backupstoragelocations, and gets ConfigMap holdfast-policies; with rights in one namespace say --namespace";

/** @throws platform-unreachable; platform-denied where not even CronJobs may be listed */
export async function readCluster(input: ReadClusterInput): Promise<ClusterFound> {
  const unread: { readonly what: string; readonly why: string }[] = [];
  const optional = async (what: string, kind: Kind, selector?: string, from = input) => {
    try {
      return await listAll(from, kind, selector);
    } catch (error) {
      if (!isRefusal(error, 403)) throw error;
      unread.push({ what, why: "the right to list them is missing" });
      return [];
    }
  };
  const cronJobs = [
    ...(await listAll(input, kinds.cronJobs).catch((cause: unknown) => {
      if (!isRefusal(cause, 403)) throw cause;
      throw new HoldfastError("platform-denied", cause.message, { hint: rightsHint, cause });
    })),
  ];
  if (input.namespace !== undefined) {
    const drills = { ...input, namespace: drillNamespace({ namespace: input.namespace }) };
    const title = `CronJobs of ${drills.namespace}`;
    cronJobs.push(...(await optional(title, kinds.cronJobs, ourSelector, drills)));
  }
  const residents = await optional("Holdfast's Deployments", kinds.deployments, ourSelector);
  const schedules = await optional("Velero's Schedules", kinds.schedules);
  const locations = await optional("Velero's storage locations", kinds.locations);
  const holders = [...cronJobs, ...residents].filter(isHolder);
  const namespaces = [...new Set(holders.map((o) => o.metadata.namespace ?? ""))].sort();
  const own: OwnFound[] = [];
  for (const namespace of namespaces)
    own.push(
      await ownOf(
        input,
        namespace,
        holders.filter((o) => o.metadata.namespace === namespace),
      ),
    );
  return {
    own,
    cronJobs: cronJobs.filter((o) => !isHolder(o)),
    schedules,
    // Those of captures and drills come and go.
    locations: locations.filter((o) => o.metadata.labels?.[policyLabel] === undefined),
    unread,
  };
}

function isHolder(object: KubeObject): boolean {
  return object.metadata.labels?.[jobLabel] !== undefined;
}

/** Every page; none where the cluster does not know the kind. */
async function listAll(
  { client, namespace }: ReadClusterInput,
  { root, plural }: Kind,
  selector?: string,
): Promise<readonly (KubeObject & Fields)[]> {
  const where = namespace === undefined ? root : `${root}/namespaces/${namespace}`;
  const found: (KubeObject & Fields)[] = [];
  let next = "";
  do {
    let page: { readonly metadata: { readonly continue?: string }; readonly items: readonly KubeObject[] };
    try {
      page = await client.request("GET", `${where}/${plural}`, {
        query: {
          limit: pageSize,
          ...(selector === undefined ? {} : { labelSelector: selector }),
          ...(next === "" ? {} : { continue: next }),
        },
      });
    } catch (error) {
      if (isRefusal(error, 404)) return [];
      throw error;
    }
    found.push(...page.items);
    next = page.metadata.continue ?? "";
  } while (next !== "");
  return found;
}

async function ownOf(
  input: ReadClusterInput,
  namespace: string,
  holders: readonly KubeObject[],
): Promise<OwnFound> {
  const jobs = holders.flatMap((object) => soundJob(object) ?? []);
  const containers = holders.map(containerOf);
  return {
    namespace,
    jobs,
    unreadable: holders.filter((o) => soundJob(o) === undefined).map((o) => o.metadata.name),
    images: distinct(containers.map((c) => c.image)),
    logLevels: distinct(containers.map((c) => c.args?.[c.args.indexOf("--log-level") + 1])),
    ...(await bundleOf(input, namespace)),
  };
}

/** The annotation is whatever somebody has made of it. */
function soundJob(object: KubeObject): Job | undefined {
  const job = jobOf(object);
  const { policy, schedule } = (job ?? {}) as { policy?: unknown; schedule?: { kind?: unknown } | null };
  return typeof policy === "string" && typeof schedule?.kind === "string" ? job : undefined;
}

async function bundleOf(
  { client, decode }: ReadClusterInput,
  namespace: string,
): Promise<Pick<OwnFound, "bundle" | "bundleFault">> {
  try {
    const path = `/api/v1/namespaces/${namespace}/configmaps/${policiesConfigMap}`;
    const map = await client.request<{ binaryData?: { bundle?: string } }>("GET", path);
    const text = map.binaryData?.bundle;
    if (text === undefined) return { bundleFault: `ConfigMap ${policiesConfigMap} holds no policies` };
    return { bundle: decode(Buffer.from(text, "base64")) };
  } catch (error) {
    if (isRefusal(error, 404)) return { bundleFault: `ConfigMap ${policiesConfigMap} is not there` };
    if (isRefusal(error, 403)) return { bundleFault: `ConfigMap ${policiesConfigMap} may not be read` };
    if (error instanceof HoldfastError && error.code === "usage")
      return { bundleFault: `ConfigMap ${policiesConfigMap} is damaged` };
    throw error;
  }
}

interface RunContainer {
  readonly image?: string;
  readonly args?: readonly string[];
}

function containerOf(object: KubeObject): RunContainer {
  const spec = object["spec"] as {
    readonly jobTemplate?: { readonly spec?: { readonly template?: Pod } };
    readonly template?: Pod;
  };
  return (spec.jobTemplate?.spec?.template ?? spec.template)?.spec?.containers?.[0] ?? {};
}

interface Pod {
  readonly spec?: { readonly containers?: readonly RunContainer[] };
}

function distinct(values: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}
