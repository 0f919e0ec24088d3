/** One turn of a reconciler on a real cluster, and a client in whose way things can be put. */
import { componentKinds } from "../../src/component.ts";
import { silent } from "../../src/log.ts";
import { perform } from "../../src/operate/apply.ts";
import { plan as makePlan } from "../../src/plan/plan.ts";
import type { KubeClient } from "../../src/platform/kubernetes/client.ts";
import { openKubernetesPlatform } from "../../src/platform/kubernetes/kubernetes.ts";
import type { ObjectSettings } from "../../src/platform/kubernetes/objects/settings.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { PolicySet } from "../../src/policy/model.ts";
import type { Action } from "../../src/state/plan.ts";
import { systemClock } from "../../src/time/clock.ts";

type JobAction = Extract<Action, { kind: "create-job" | "update-job" | "remove-job" }>;

/** What a plan wants done to jobs now; runs and stores are left out. */
export async function planJobs(
  platform: Platform,
  set: PolicySet,
  revision: string,
): Promise<readonly JobAction[]> {
  const { jobs, revision: applied } = await platform.observe();
  const actual = {
    platform: platform.name,
    revision: applied,
    jobs,
    stores: [],
    sources: [],
    observedAt: new Date().toISOString(),
  };
  const plan = makePlan({
    revision,
    set,
    builtKinds: componentKinds,
    actual,
    catalogues: new Map(),
    nowMs: Date.now(),
    fingerprint: "",
  });
  return plan.actions.filter(
    (a): a is JobAction => a.kind === "create-job" || a.kind === "update-job" || a.kind === "remove-job",
  );
}

/** Observes, plans and applies. Returns how many actions were done. */
export async function turn(platform: Platform, set: PolicySet, revision: string): Promise<number> {
  const actions = await planJobs(platform, set, revision);
  for (const action of actions) await perform(undefined as never, platform, action, revision);
  await platform.setRevision(revision);
  return actions.length;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly isList: boolean;
}

/** Calls `before` and `after` around each request; what they throw is what the caller gets. */
export function watched(
  client: KubeClient,
  hooks: {
    readonly before?: (asked: Asked) => Promise<void> | void;
    readonly after?: (asked: Asked) => Promise<void> | void;
    readonly onEvent?: (event: unknown) => boolean;
  },
): KubeClient {
  return {
    namespace: client.namespace,
    request: async (method, path, details) => {
      const isList = method === "GET" && /s$/.test(path);
      await hooks.before?.({ method, path, isList });
      const answer = await client.request(method, path, details);
      await hooks.after?.({ method, path, isList });
      return answer as never;
    },
    watch: (path, query, onLine, signal) =>
      client.watch(path, query, (event) => (hooks.onEvent?.(event) ?? true) && onLine(event), signal),
    close: () => client.close(),
  };
}

export function isWrite({ method }: Asked): boolean {
  return method !== "GET";
}

export function platformOf(
  client: KubeClient,
  settings: ObjectSettings,
  bundle?: () => Promise<Uint8Array>,
): Platform {
  return openKubernetesPlatform({
    client,
    clock: systemClock,
    log: silent,
    settings,
    holder: "me",
    ...(bundle === undefined ? {} : { bundle }),
  });
}
