/**
 * The objects that hold jobs, written with the preconditions that make a late or a second writer harmless: an
 * update or a removal is only done to the very object and version that was observed.
 */
import { HoldfastError } from "../../errors.ts";
import type { Job } from "../../state/job.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import type { Mirror } from "./mirror.ts";
import { driftOf } from "./objects/drift.ts";
import { jobObject } from "./objects/job-objects.ts";
import { fieldOwner, jobAnnotation, objectName, ownerLabel, revisionAnnotation } from "./objects/names.ts";
import type { ObjectSettings } from "./objects/settings.ts";
import type { KubeObject } from "./objects/shapes.ts";

const applyType = "application/apply-patch+yaml";
const tries = 4;

export type HolderKind = "CronJob" | "Deployment";
export const holderKinds: readonly HolderKind[] = ["CronJob", "Deployment"];

export function pathOf(kind: HolderKind | "Job" | "Pod" | "ConfigMap" | "Lease", namespace: string): string {
  const group = {
    CronJob: "/apis/batch/v1",
    Job: "/apis/batch/v1",
    Deployment: "/apis/apps/v1",
    Lease: "/apis/coordination.k8s.io/v1",
    Pod: "/api/v1",
    ConfigMap: "/api/v1",
  }[kind];
  return `${group}/namespaces/${namespace}/${kind.toLowerCase()}s`;
}

/** What a plan was computed from. */
interface Observed {
  readonly uid: string;
  readonly definition: string;
}

export class Holders {
  readonly #client: KubeClient;
  readonly #settings: ObjectSettings;
  readonly #mirrors: Readonly<Record<HolderKind, Mirror<KubeObject>>>;
  /** By kind and name, as of the last observation or our own last write. */
  readonly #observed = new Map<string, Observed>();
  #hasObserved = false;

  constructor(
    client: KubeClient,
    settings: ObjectSettings,
    mirrors: Readonly<Record<HolderKind, Mirror<KubeObject>>>,
  ) {
    this.#client = client;
    this.#settings = settings;
    this.#mirrors = mirrors;
  }

  /** Everything that holds a job now; what is being deleted is gone. */
  async observe(): Promise<readonly KubeObject[]> {
    this.#observed.clear();
    this.#hasObserved = true;
    const all: KubeObject[] = [];
    for (const kind of holderKinds) {
      for (const object of await this.#mirrors[kind].objects()) {
        if (object.metadata.deletionTimestamp !== undefined || jobOf(object) === undefined) continue;
        all.push(object);
        this.#note(kind, object);
      }
    }
    return all;
  }

  /**
   * Creates the object, or makes it equal. A name that somebody else uses is left alone.
   * @throws guard-refused when it is not ours; plan-stale when it is no longer what was observed
   */
  async put(job: Job, revision: string): Promise<void> {
    if (!this.#hasObserved) await this.observe();
    const built = jobObject(job, revision, this.#settings);
    const kind = built.kind as HolderKind;
    for (const other of holderKinds) if (other !== kind) await this.remove(other, job.key);
    for (let attempt = 1; ; attempt += 1) {
      const live = await this.#fresh(kind, built.metadata.name);
      try {
        await this.#write(kind, built, live);
        return;
      } catch (error) {
        if (!isRefusal(error, 409) || attempt >= tries) throw staleOr(error, job.key);
      }
    }
  }

  async #write(kind: HolderKind, built: KubeObject, live: KubeObject | undefined): Promise<void> {
    const path = `${pathOf(kind, this.#settings.namespace)}/${built.metadata.name}`;
    if (live === undefined) {
      this.#refuseMoved(kind, built.metadata.name, undefined);
      // Without force: an object that somebody has made since owns its fields, and the server says 409.
      const made = await this.#client.request<KubeObject>("PATCH", path, {
        contentType: applyType,
        query: { fieldManager: fieldOwner },
        body: built,
      });
      this.#keep(kind, made);
      return;
    }
    refuseForeign(kind, live);
    this.#refuseMoved(kind, built.metadata.name, live);
    if (driftOf(built, live).length === 0) {
      this.#keep(kind, live);
      return;
    }
    const { uid = "", resourceVersion = "" } = live.metadata;
    const precondition = { ...built, metadata: { ...built.metadata, uid, resourceVersion } };
    const applied = await this.#client.request<KubeObject>("PATCH", path, {
      contentType: applyType,
      query: { fieldManager: fieldOwner, force: "true" },
      body: precondition,
    });
    if (driftOf(built, applied).length === 0) {
      this.#keep(kind, applied);
      return;
    }
    // What others have added is theirs, and an apply leaves it; the whole object put back does not.
    const replaced = await this.#client.request<KubeObject>("PUT", path, {
      query: { fieldManager: fieldOwner },
      body: {
        ...precondition,
        metadata: { ...precondition.metadata, resourceVersion: applied.metadata.resourceVersion },
      },
    });
    this.#keep(kind, replaced);
  }

  /**
   * Deletes the job's object and leaves its runs. A missing one is fine.
   * @throws guard-refused when it is not ours; plan-stale when it is no longer what was observed
   */
  async remove(kind: HolderKind, key: string): Promise<void> {
    if (!this.#hasObserved) await this.observe();
    const name = objectName(key);
    if (!this.#observed.has(`${kind}/${name}`) && (await this.#mirrors[kind].get(name)) === undefined) return;
    for (let attempt = 1; ; attempt += 1) {
      const live = await this.#fresh(kind, name);
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) {
        this.#observed.delete(`${kind}/${name}`);
        return;
      }
      refuseForeign(kind, live);
      this.#refuseMoved(kind, name, live);
      const { uid, resourceVersion } = live.metadata;
      try {
        await this.#client.request("DELETE", `${pathOf(kind, this.#settings.namespace)}/${name}`, {
          body: {
            apiVersion: "v1",
            kind: "DeleteOptions",
            preconditions: { uid, resourceVersion },
            propagationPolicy: kind === "CronJob" ? "Orphan" : "Background",
          },
        });
        this.#mirrors[kind].remove(live);
        this.#observed.delete(`${kind}/${name}`);
        return;
      } catch (error) {
        if (isRefusal(error, 404)) continue;
        if (!isRefusal(error, 409) || attempt >= tries) throw staleOr(error, key);
      }
    }
  }

  async #fresh(kind: HolderKind, name: string): Promise<KubeObject | undefined> {
    try {
      const path = `${pathOf(kind, this.#settings.namespace)}/${name}`;
      const live = await this.#client.request<KubeObject>("GET", path);
      return live.metadata.deletionTimestamp === undefined ? live : undefined;
    } catch (error) {
      if (isRefusal(error, 404)) return undefined;
      throw error;
    }
  }

  /** The plan was made for what was observed; what became of it since is not the plan's to overwrite. */
  #refuseMoved(kind: HolderKind, name: string, live: KubeObject | undefined): void {
    const observed = this.#observed.get(`${kind}/${name}`);
    if (observed === undefined && live === undefined) return;
    if (live === undefined) {
      // Gone by itself: making it again is what the plan wants, unless somebody in our place has removed it.
      throw new HoldfastError("plan-stale", `${kind} '${name}' was removed since it was observed`);
    }
    if (observed?.uid === live.metadata.uid && observed?.definition === definitionOf(live)) return;
    throw new HoldfastError("plan-stale", `${kind} '${name}' has changed since it was observed`);
  }

  #keep(kind: HolderKind, object: KubeObject): void {
    this.#mirrors[kind].put(object);
    this.#note(kind, object);
  }

  #note(kind: HolderKind, object: KubeObject): void {
    const { uid = "", name } = object.metadata;
    this.#observed.set(`${kind}/${name}`, { uid, definition: definitionOf(object) });
  }
}

/** What counts as a change: the status and the server's own bookkeeping do not. */
function definitionOf(object: KubeObject): string {
  const { generation = 0, annotations, labels } = object.metadata;
  return JSON.stringify([
    generation,
    annotations?.[jobAnnotation],
    annotations?.[revisionAnnotation],
    labels?.[ownerLabel],
  ]);
}

function refuseForeign(kind: HolderKind, live: KubeObject): void {
  const isOurs = live.metadata.labels?.[ownerLabel] === fieldOwner || jobOf(live) !== undefined;
  if (isOurs) return;
  throw new HoldfastError("guard-refused", `${kind} '${live.metadata.name}' is not ours and is left alone`, {
    hint: "rename the policy, or remove the object by hand",
  });
}

function staleOr(error: unknown, key: string): unknown {
  if (!isRefusal(error, 409)) return error;
  return new HoldfastError(
    "plan-stale",
    `the object of job '${key}' is changed by somebody else all the time`,
    {
      cause: error,
    },
  );
}

/** The job an object holds, as we wrote it; undefined when it holds none that can be read. */
export function jobOf(object: KubeObject): Job | undefined {
  const text = object.metadata.annotations?.[jobAnnotation];
  if (text === undefined) return undefined;
  try {
    const job = JSON.parse(text) as Job;
    return typeof job.key === "string" && objectName(job.key) === object.metadata.name ? job : undefined;
  } catch {
    return undefined;
  }
}
