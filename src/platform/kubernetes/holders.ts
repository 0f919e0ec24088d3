/**
 * The objects that hold jobs, written with the preconditions that make a late or a second writer harmless: an
 * update or a removal is only done to the very object and version that was observed.
 */
import { randomUUID } from "node:crypto";
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

/** Where objects that hold jobs are. */
export interface HolderPlace {
  readonly kind: HolderKind;
  readonly namespace: string;
  readonly mirror: Mirror<KubeObject>;
}

type KnownKind = HolderKind | "Job" | "Pod" | "ConfigMap" | "Lease";

const versions: Readonly<Record<KnownKind, string>> = {
  CronJob: "batch/v1",
  Job: "batch/v1",
  Deployment: "apps/v1",
  Lease: "coordination.k8s.io/v1",
  Pod: "v1",
  ConfigMap: "v1",
};

export function typeOf(kind: KnownKind): Pick<KubeObject, "apiVersion" | "kind"> {
  return { apiVersion: versions[kind], kind };
}

export function pathOf(kind: KnownKind, namespace: string): string {
  const version = versions[kind];
  const root = version.includes("/") ? `/apis/${version}` : `/api/${version}`;
  return `${root}/namespaces/${namespace}/${kind.toLowerCase()}s`;
}

/** What a plan was computed from. */
interface Observed {
  readonly uid: string;
  readonly definition: string;
}

export class Holders {
  readonly #client: KubeClient;
  readonly #settings: ObjectSettings;
  readonly #places: readonly HolderPlace[];
  /** By place and name, as of the last observation or our own last write. */
  readonly #observed = new Map<string, Observed>();
  #hasObserved = false;

  constructor(client: KubeClient, settings: ObjectSettings, places: readonly HolderPlace[]) {
    this.#client = client;
    this.#settings = settings;
    this.#places = places;
  }

  /** Everything that holds a job now; what is being deleted is gone. */
  async observe(): Promise<readonly KubeObject[]> {
    this.#observed.clear();
    this.#hasObserved = true;
    const all: KubeObject[] = [];
    for (const place of this.#places) {
      for (const object of await place.mirror.objects()) {
        if (object.metadata.deletionTimestamp !== undefined || jobOf(object) === undefined) continue;
        all.push(object);
        this.#note(place, object);
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
    const place = this.#placeOf(built);
    for (const other of this.#places) if (other !== place) await this.remove(other, job.key);
    for (let attempt = 1; ; attempt += 1) {
      const live = await this.#fresh(place, built.metadata.name);
      try {
        await this.#write(place, built, live);
        return;
      } catch (error) {
        if (!isRefusal(error, 409) || attempt >= tries) throw staleOr(error, job.key);
      }
    }
  }

  #placeOf({ kind, metadata }: KubeObject): HolderPlace {
    const found = this.#places.find((p) => p.kind === kind && p.namespace === metadata.namespace);
    if (found === undefined) throw new Error(`there is no place for a ${kind} in '${metadata.namespace}'`);
    return found;
  }

  async #write(place: HolderPlace, built: KubeObject, live: KubeObject | undefined): Promise<void> {
    const path = `${pathOf(place.kind, place.namespace)}/${built.metadata.name}`;
    if (live === undefined) {
      this.#refuseMoved(place, built.metadata.name, undefined);
      // Without force, and under a name that nobody else has: an object that somebody has made since, a late one of
      // our own included, owns its fields, and the server says 409.
      const made = await this.#client.request<KubeObject>("PATCH", path, {
        contentType: applyType,
        query: { fieldManager: `${fieldOwner}-${randomUUID()}` },
        body: built,
      });
      this.#keep(place, made);
      return;
    }
    refuseForeign(place.kind, live);
    this.#refuseMoved(place, built.metadata.name, live);
    if (driftOf(built, live).length === 0) {
      this.#keep(place, live);
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
      this.#keep(place, applied);
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
    this.#keep(place, replaced);
  }

  /**
   * Deletes the job's object and leaves its runs. A missing one is fine.
   * @throws guard-refused when it is not ours; plan-stale when it is no longer what was observed
   */
  async remove(place: HolderPlace, key: string): Promise<void> {
    if (!this.#hasObserved) await this.observe();
    const name = objectName(key);
    if (!this.#observed.has(keyOf(place, name)) && (await place.mirror.get(name)) === undefined) return;
    for (let attempt = 1; ; attempt += 1) {
      const live = await this.#fresh(place, name);
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) {
        this.#observed.delete(keyOf(place, name));
        return;
      }
      refuseForeign(place.kind, live);
      this.#refuseMoved(place, name, live);
      const { uid, resourceVersion } = live.metadata;
      try {
        await this.#client.request("DELETE", `${pathOf(place.kind, place.namespace)}/${name}`, {
          body: {
            apiVersion: "v1",
            kind: "DeleteOptions",
            preconditions: { uid, resourceVersion },
            propagationPolicy: place.kind === "CronJob" ? "Orphan" : "Background",
          },
        });
        place.mirror.remove(live);
        this.#observed.delete(keyOf(place, name));
        return;
      } catch (error) {
        if (isRefusal(error, 404)) continue;
        if (!isRefusal(error, 409) || attempt >= tries) throw staleOr(error, key);
      }
    }
  }

  async #fresh({ kind, namespace }: HolderPlace, name: string): Promise<KubeObject | undefined> {
    try {
      const path = `${pathOf(kind, namespace)}/${name}`;
      const live = await this.#client.request<KubeObject>("GET", path);
      return live.metadata.deletionTimestamp === undefined ? live : undefined;
    } catch (error) {
      if (isRefusal(error, 404)) return undefined;
      throw error;
    }
  }

  /** The plan was made for what was observed; what became of it since is not the plan's to overwrite. */
  #refuseMoved(place: HolderPlace, name: string, live: KubeObject | undefined): void {
    const { kind } = place;
    const observed = this.#observed.get(keyOf(place, name));
    if (observed === undefined && live === undefined) return;
    if (live === undefined) {
      // Gone by itself: making it again is what the plan wants, unless somebody in our place has removed it.
      throw new HoldfastError("plan-stale", `${kind} '${name}' was removed since it was observed`);
    }
    if (observed?.uid === live.metadata.uid && observed?.definition === definitionOf(live)) return;
    throw new HoldfastError("plan-stale", `${kind} '${name}' has changed since it was observed`);
  }

  #keep(place: HolderPlace, object: KubeObject): void {
    place.mirror.put(object);
    this.#note(place, object);
  }

  #note(place: HolderPlace, object: KubeObject): void {
    const { uid = "", name } = object.metadata;
    this.#observed.set(keyOf(place, name), { uid, definition: definitionOf(object) });
  }
}

function keyOf({ kind, namespace }: HolderPlace, name: string): string {
  return `${namespace}/${kind}/${name}`;
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
