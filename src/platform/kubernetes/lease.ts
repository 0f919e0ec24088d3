/**
 * Which of several reconcilers works now. The Lease keeps them in order and nothing more: a reconciler that
 * was paused does not know that it has lost it, so every write carries preconditions of its own.
 */
import { HoldfastError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { Clock } from "../../time/clock.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import { pathOf } from "./holders.ts";
import { leaseName } from "./objects/install.ts";
import { ourLabels } from "./objects/names.ts";
import type { KubeObject } from "./objects/shapes.ts";

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly renewTime?: string;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  /** Told apart from every other reconciler: the pod's name. */
  readonly holder: string;
  readonly durationMs?: number;
}

export interface Leadership {
  /** Aborts when it can no longer be sure to lead. */
  readonly lost: AbortSignal;
  /** Lets the next one in at once. */
  release(): Promise<void>;
}

/**
 * Waits until this reconciler leads. A holder counts as gone when its Lease has not changed for its whole
 * duration by our own clock; clocks of two machines are never compared.
 */
export async function lead(options: LeaseOptions, signal: AbortSignal): Promise<Leadership> {
  const { clock, log, durationMs = 15_000 } = options;
  let seen: { readonly version: string; readonly atMs: number } | undefined;
  for (;;) {
    signal.throwIfAborted();
    try {
      const lease = await read(options);
      const version = lease?.metadata.resourceVersion ?? "";
      if (seen?.version !== version) seen = { version, atMs: clock.nowMs() };
      const holder = lease?.spec?.holderIdentity ?? "";
      const lastsMs = (lease?.spec?.leaseDurationSeconds ?? 0) * 1000;
      const isFree = lease === undefined || holder === "" || holder === options.holder;
      if (isFree || clock.nowMs() - seen.atMs > lastsMs) {
        const held = await write(options, lease, options.holder);
        log.info("leads now", { holder: options.holder });
        return keep(options, held, signal);
      }
    } catch (error) {
      // Somebody was quicker, or the server is away: the next look tells.
      if (!(error instanceof HoldfastError) || error.code === "platform-denied") throw error;
      if (!isRefusal(error, 409)) log.warn("the lease cannot be read", { cause: error.message });
    }
    await clock.wait((durationMs / 7.5) * (0.8 + Math.random() * 0.4), signal);
  }
}

function keep(options: LeaseOptions, first: Lease, signal: AbortSignal): Leadership {
  const { clock, log, durationMs = 15_000 } = options;
  const lost = new AbortController();
  const released = new AbortController();
  const ended = AbortSignal.any([signal, released.signal]);
  let held = first;
  let renewedAtMs = clock.nowMs();
  const renewing = (async () => {
    while (!ended.aborted && !lost.signal.aborted) {
      await clock.wait(durationMs / 7.5, ended).catch(() => undefined);
      if (ended.aborted) return;
      // Given up well before the others may take it.
      const overdue = clock.nowMs() - renewedAtMs > (durationMs * 2) / 3;
      try {
        if (overdue) throw new HoldfastError("lock-lost", "the lease could not be renewed in time");
        const startedAtMs = clock.nowMs();
        held = await write(options, held, options.holder);
        renewedAtMs = startedAtMs;
      } catch (error) {
        if (!overdue && !isRefusal(error, 409) && !isRefusal(error, 404)) continue;
        log.warn("leads no longer", { holder: options.holder, cause: String(error) });
        lost.abort(new HoldfastError("lock-lost", "another reconciler leads now", { cause: error }));
      }
    }
  })();
  return {
    lost: lost.signal,
    release: async () => {
      released.abort();
      await renewing;
      if (!lost.signal.aborted) await write(options, held, "").catch(() => undefined);
    },
  };
}

async function read({ client, namespace }: LeaseOptions): Promise<Lease | undefined> {
  try {
    return await client.request<Lease>("GET", `${pathOf("Lease", namespace)}/${leaseName}`);
  } catch (error) {
    if (isRefusal(error, 404)) return undefined;
    throw error;
  }
}

/** Written on top of exactly the version `known`, or created. @throws KubeRefusal 409 when somebody was quicker */
async function write(options: LeaseOptions, known: Lease | undefined, holder: string): Promise<Lease> {
  const { client, clock, namespace, durationMs = 15_000 } = options;
  const path = pathOf("Lease", namespace);
  const isNew = known?.spec?.holderIdentity !== holder;
  // The server asks for microseconds.
  const now = `${new Date(clock.nowMs()).toISOString().slice(0, -1)}000Z`;
  const spec = {
    holderIdentity: holder,
    leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
    renewTime: now,
    acquireTime: isNew ? now : (known?.spec?.acquireTime ?? now),
    leaseTransitions: (known?.spec?.leaseTransitions ?? 0) + (isNew && holder !== "" ? 1 : 0),
  };
  const body = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name: leaseName,
      namespace,
      labels: ourLabels,
      ...(known?.metadata.resourceVersion === undefined
        ? {}
        : { resourceVersion: known.metadata.resourceVersion, uid: known.metadata.uid ?? "" }),
    },
    spec,
  };
  return known === undefined
    ? client.request<Lease>("POST", path, { body })
    : client.request<Lease>("PUT", `${path}/${leaseName}`, { body });
}
