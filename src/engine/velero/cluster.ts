/** The cluster through kubectl: one request a call, bodies by standard input, so that no value is ever an argument. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { settingsOf } from "./settings.ts";

const deadlineMs = 60_000;
const pageSize = 200;
/** Every API server of Kubernetes knows it, so whatever answers "not found" is none. */
const knownToAll = "/api/v1/namespaces";

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly managedFields?: readonly ManagedField[];
    readonly [field: string]: unknown;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface ManagedField {
  readonly manager?: string;
  readonly time?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

export interface Cluster {
  /** Undefined where there is none. @throws source-unreachable, tool-failed */
  get(path: string): Promise<KubeObject | undefined>;
  /** Every page; an unknown resource has none. @throws source-unreachable where no API server of Kubernetes answers */
  list(path: string, labels?: string): Promise<readonly KubeObject[]>;
  /** @throws locked when one of the name is there */
  create(path: string, object: KubeObject): Promise<KubeObject>;
  /** After it the deletion is asked for; nothing where there is none. */
  remove(path: string): Promise<void>;
  /** Server-side apply under our own name. */
  apply(object: KubeObject, force: boolean): Promise<void>;
  /** Takes the finalizers off, so that an object under deletion goes. */
  release(kind: string, namespace: string, name: string): Promise<void>;
  versionText(): Promise<string>;
}

export function programNeeds(): readonly ProgramNeed[] {
  return [
    {
      name: "kubectl",
      places: [],
      without: "the cluster and Velero in it cannot be asked",
      install: "install kubectl of the cluster's version: https://kubernetes.io/docs/tasks/tools/",
    },
  ];
}

/** Requests end with `signal`; none is given for clearing away, which has to be done after an abort too. */
export async function openCluster(context: EngineContext, signal?: AbortSignal): Promise<Cluster> {
  const { kubeconfig, context: name } = settingsOf(context.policy);
  const program = await context.exec.find("kubectl");
  if (program === undefined) throw new HoldfastError("tool-missing", "'kubectl' is not on this machine");
  const where = [
    ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ...(name === undefined ? [] : [`--context=${name}`]),
  ];
  const run = async (args: readonly string[], input?: KubeObject): Promise<string> => {
    const { stdout } = await context.exec
      .run(
        { argv: [program, ...where, ...args] },
        {
          deadlineMs,
          ...(signal === undefined ? {} : { signal }),
          ...(input === undefined ? {} : { input: JSON.stringify(input) }),
        },
      )
      .catch((error: unknown) => {
        throw asOurs(error);
      });
    return stdout;
  };
  const get = async (path: string): Promise<KubeObject | undefined> => {
    try {
      return parse(await run(["get", `--raw=${path}`]));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  return {
    get,
    list: async (path, labels) => {
      const found: KubeObject[] = [];
      let next = "";
      do {
        const query = new URLSearchParams({
          limit: String(pageSize),
          ...(labels === undefined ? {} : { labelSelector: labels }),
          ...(next === "" ? {} : { continue: next }),
        });
        const page = await get(`${path}?${query.toString()}`);
        if (page === undefined && path !== knownToAll) return found;
        if (!Array.isArray(page?.["items"])) throw noList(path);
        found.push(...(page["items"] as readonly KubeObject[]));
        next = String(page.metadata["continue"] ?? "");
      } while (next !== "");
      return found;
    },
    create: async (path, object) => parse(await run(["create", `--raw=${path}`, "-f", "-"], object)),
    remove: async (path) => {
      await run(["delete", `--raw=${path}`]).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    },
    apply: async (object, force) => {
      const forced = force ? ["--force-conflicts"] : [];
      await run(["apply", "--server-side", "--field-manager=holdfast", ...forced, "-f", "-"], object);
    },
    release: async (kind, namespace, named) => {
      const patch = '--patch={"metadata":{"finalizers":null}}';
      await run(["patch", kind, named, `--namespace=${namespace}`, "--type=merge", patch]).catch(
        (error: unknown) => {
          if (!isNotFound(error)) throw error;
        },
      );
    },
    versionText: async () =>
      String((parse(await run(["get", "--raw=/version"])) as unknown as { gitVersion?: string }).gitVersion),
  };
}

function parse(text: string): KubeObject {
  try {
    return JSON.parse(text) as KubeObject;
  } catch {
    throw new HoldfastError("tool-failed", "kubectl did not print JSON");
  }
}

/** An empty list in its place would be a cluster in which there is nothing to back up. */
function noList(path: string): HoldfastError {
  return new HoldfastError(
    "source-unreachable",
    `what answers is no API server of Kubernetes: it has no list at ${path}`,
    { hint: "check the address in the kubeconfig, and KUBECONFIG" },
  );
}

function isNotFound(error: unknown): boolean {
  return (
    error instanceof HoldfastError && /NotFound|could not find the requested resource/.test(error.message)
  );
}

const noAnswer =
  /connection to the server|unable to connect|connection refused|no such host|i\/o timeout|context deadline/i;

/** What kubectl says of a server that does not answer, and of an object that is there, as codes of ours. */
function asOurs(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== "tool-failed") return error;
  if (noAnswer.test(error.message)) {
    return new HoldfastError("source-unreachable", `the cluster does not answer: ${error.message}`, {
      cause: error,
    });
  }
  if (/AlreadyExists/.test(error.message)) {
    return new HoldfastError("locked", `it is there already: ${error.message}`, { cause: error });
  }
  return error;
}
