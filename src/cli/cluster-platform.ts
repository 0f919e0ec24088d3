/** The cluster as a platform, opened when it is first asked for: a verb that needs none loads no client. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Platform } from "../platform/platform.ts";
import type { PlatformSettings } from "../policy/model.ts";
import { systemClock } from "../time/clock.ts";
import type { WiredWorld } from "./wire.ts";

/** Settings of the policies, then of the environment of a pod, then the usual ones. */
export function openClusterPlatform(
  world: WiredWorld,
  options: { readonly logLevel: string },
  asked: PlatformSettings | undefined,
  bundle?: () => string | undefined,
): Platform {
  let opened: Promise<Platform> | undefined;
  const open = async (): Promise<Platform> => {
    const { openKubeClient } = await import("../platform/kubernetes/client.ts");
    const { openKubernetesPlatform } = await import("../platform/kubernetes/kubernetes.ts");
    const { usualSettings } = await import("../platform/kubernetes/objects/settings.ts");
    const client = openKubeClient(systemClock);
    const { env } = process;
    const drills = asked?.drillNamespace ?? env["HOLDFAST_DRILL_NAMESPACE"];
    return openKubernetesPlatform({
      client,
      clock: systemClock,
      log: world.log,
      holder: env["POD_NAME"] ?? `${hostname()}-${process.pid}`,
      settings: {
        ...usualSettings,
        namespace:
          asked?.namespace ?? env["HOLDFAST_NAMESPACE"] ?? client.namespace ?? usualSettings.namespace,
        ...(drills === undefined ? {} : { drillNamespace: drills }),
        image: asked?.image ?? env["HOLDFAST_IMAGE"] ?? usualSettings.image,
        environmentSecret: asked?.environmentSecret ?? usualSettings.environmentSecret,
        identitySecret: asked?.identitySecret ?? usualSettings.identitySecret,
        extraArgs: [...usualSettings.extraArgs, "--log-level", options.logLevel],
      },
      bundle: async () => {
        const path = bundle?.();
        return path === undefined ? undefined : promisify(gzip)(await readFile(path));
      },
    });
  };
  const platform = (): Promise<Platform> => {
    opened ??= open();
    return opened;
  };
  return {
    name: "kubernetes",
    observe: async () => (await platform()).observe(),
    putJob: async (job, revision) => (await platform()).putJob(job, revision),
    removeJob: async (key) => (await platform()).removeJob(key),
    startRun: async (key, slotAt) => (await platform()).startRun(key, slotAt),
    setRevision: async (revision) => (await platform()).setRevision(revision),
    nextRunEnd: async (signal) => (await platform()).nextRunEnd(signal),
    foreignJob: async (path) => (await platform()).foreignJob?.(path),
    start: async () => (await platform()).start(),
    stop: async (graceMs) => (await platform()).stop(graceMs),
    lead: async (signal) => {
      const { lead } = await platform();
      if (lead === undefined) return { lost: new AbortController().signal, release: async () => undefined };
      return lead(signal);
    },
  };
}
