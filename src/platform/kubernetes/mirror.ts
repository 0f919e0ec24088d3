/**
 * What one kind's objects look like now, kept by one watch: a LIST at the beginning and after a 410, and from
 * then on events and bookmarks alone. Our own writes are put in by hand, so that what we read next is never
 * older than what we have written.
 */
import type { Logger } from "../../log.ts";
import type { Clock } from "../../time/clock.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import type { KubeObject } from "./objects/shapes.ts";

const pageSize = "500";
const watchSeconds = 290;
const longestPauseMs = 30_000;
const tombstonesKept = 1000;

interface ListAnswer {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[];
}

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject & { readonly code?: number };
}

export interface MirrorInput {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the objects are: the elements of a list do not say it. */
  readonly type: Pick<KubeObject, "apiVersion" | "kind">;
  /** Such as `/apis/batch/v1/namespaces/x/cronjobs`. */
  readonly path: string;
  readonly selector: string;
  /** Kept of each object; the rest is dropped so that memory is flat. */
  readonly slim?: (object: KubeObject) => KubeObject;
  readonly onChange?: (object: KubeObject, change: "put" | "removed") => void;
}

export class Mirror<T extends KubeObject> {
  readonly #input: MirrorInput;
  readonly #objects = new Map<string, T>();
  /** Uids that are gone and the version they went with: a late event must not bring them back. */
  readonly #gone = new Map<string, KubeObject>();
  #version: string | undefined;
  #synced: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(input: MirrorInput) {
    this.#input = input;
  }

  /** The objects, read once; with a watch running they follow the server. */
  async objects(): Promise<readonly T[]> {
    this.#synced ??= this.#list().catch((error: unknown) => {
      this.#synced = undefined;
      throw error;
    });
    await this.#synced;
    return [...this.#objects.values()];
  }

  async get(name: string): Promise<T | undefined> {
    await this.objects();
    return this.#objects.get(name);
  }

  /** The next read lists again; for one-shot readers without a watch. */
  forget(): void {
    if (this.#running === undefined) this.#synced = undefined;
  }

  /** An object as the server has answered it to our own write. */
  put(object: T): void {
    const { name, uid = "", deletionTimestamp } = object.metadata;
    const gone = this.#gone.get(uid);
    if (gone !== undefined && !isNewer(object, gone)) return;
    const known = this.#objects.get(name);
    if (known?.metadata.uid === uid && !isNewer(object, known)) return;
    const slim = this.#input.slim;
    if (deletionTimestamp !== undefined && known === undefined) return;
    this.#objects.set(name, (slim === undefined ? object : slim(object)) as T);
    this.#input.onChange?.(object, "put");
  }

  remove(object: KubeObject): void {
    const { name, uid = "" } = object.metadata;
    this.#gone.set(uid, {
      ...object,
      metadata: { name, uid, resourceVersion: object.metadata.resourceVersion ?? "" },
    });
    if (this.#gone.size > tombstonesKept) this.#gone.delete(this.#gone.keys().next().value ?? "");
    if (this.#objects.get(name)?.metadata.uid !== uid) return;
    this.#objects.delete(name);
    this.#input.onChange?.(object, "removed");
  }

  /** Follows the server until the signal aborts. */
  follow(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#follow(signal);
    return this.#running;
  }

  async #list(): Promise<void> {
    const { client, path, selector } = this.#input;
    const seen = new Set<string>();
    let next: string | undefined;
    let version = "";
    do {
      const answer: ListAnswer = await client.request("GET", path, {
        query: {
          labelSelector: selector,
          limit: pageSize,
          ...(next === undefined ? {} : { continue: next }),
        },
      });
      version = answer.metadata.resourceVersion;
      next = answer.metadata.continue;
      for (const object of answer.items) {
        seen.add(object.metadata.name);
        this.put({ ...object, ...this.#input.type } as T);
      }
    } while (next !== undefined && next !== "");
    const listed = { apiVersion: "", kind: "", metadata: { name: "", resourceVersion: version } };
    for (const [name, object] of this.#objects) {
      // What we wrote while the pages came is newer than the list, and not gone.
      if (!seen.has(name) && !isNewer(object, listed)) this.remove(object);
    }
    this.#version = version;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { client, clock, log, path, selector } = this.#input;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.objects();
        await client.watch(
          path,
          {
            labelSelector: selector,
            allowWatchBookmarks: "true",
            timeoutSeconds: String(watchSeconds),
            ...(this.#version === undefined ? {} : { resourceVersion: this.#version }),
          },
          (event) => {
            failures = 0;
            this.#take(event as WatchEvent);
          },
          signal,
        );
        // A watch that ends at once, again and again, is not asked for in a tight loop.
        failures += 1;
        if (failures > 1) await clock.wait(Math.min(100 * 2 ** failures, longestPauseMs), signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (isRefusal(error, 410)) {
          this.#synced = undefined;
          if (failures === 1) continue;
        } else {
          log.warn("a watch was cut", { path, cause: String(error) });
        }
        await clock
          .wait(Math.min(100 * 2 ** failures, longestPauseMs) * (0.5 + Math.random()), signal)
          .catch(() => undefined);
      }
    }
  }

  #take(event: WatchEvent): void {
    const { type, object } = event;
    if (type === "ERROR") {
      // Expired in the middle of a watch: what happened in between is only known by a new list.
      this.#synced = undefined;
      return;
    }
    this.#version = object.metadata.resourceVersion;
    if (type === "DELETED") this.remove(object);
    else if (type !== "BOOKMARK") this.put(object as T);
  }
}

/** Resource versions of one kind are growing numbers; anything else is taken as newer. */
function isNewer(object: KubeObject, known: KubeObject): boolean {
  try {
    return BigInt(object.metadata.resourceVersion ?? "x") > BigInt(known.metadata.resourceVersion ?? "x");
  } catch {
    return true;
  }
}
