/** What the verbs share that belong to the reconciler: its state folder, its platform, its policy source. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../errors.ts";
import type { LoopStatus } from "../operate/reconcile.ts";
import { openStateFolder } from "../operate/state-folder.ts";
import { openLocalPlatform } from "../platform/local/local.ts";
import type { Platform } from "../platform/platform.ts";
import type { ReconcilerSettings } from "../policy/model.ts";
import type { PolicySource } from "../source/source.ts";
import { systemClock } from "../time/clock.ts";
import { openClusterPlatform } from "./cluster-platform.ts";
import type { SharedOptions } from "./options.ts";
import type { WiredWorld } from "./wire.ts";

const mainPath = fileURLToPath(new URL("holdfast.mjs", import.meta.url));

/** The platform the policies ask for; the local one keeps its jobs in the state folder. Nothing runs before `start`. */
export function openPlatform(
  world: WiredWorld,
  options: Pick<SharedOptions, "identity" | "logLevel"> & { readonly platform?: string },
  bundle?: () => string | undefined,
): Platform {
  const settings = world.set.reconciler?.platform;
  if ((options.platform ?? settings?.kind) === "kubernetes")
    return openClusterPlatform(world, options, settings, bundle);
  const identities = typeof options.identity === "string" ? [options.identity] : options.identity;
  return openLocalPlatform({
    stateDirectory: world.stateDirectory,
    clock: systemClock,
    log: world.log,
    argv: [process.execPath, mainPath],
    extraArgs: () => {
      const path = bundle?.();
      return [
        ...(path === undefined ? [] : ["--bundle", path]),
        "--state",
        world.stateDirectory,
        ...identities.flatMap((identity) => ["--identity", identity]),
        "--log-level",
        options.logLevel,
        "--quiet",
      ];
    },
    maxParallelRuns: world.set.reconciler?.maxParallelRuns ?? 2,
  });
}

/** What the loop has said last; undefined when none has ever run here. */
export async function readLoopStatus(stateDirectory: string): Promise<LoopStatus | undefined> {
  return openStateFolder(stateDirectory).readStatus();
}

/** @throws usage when the policies name no reconciler, and so no repository */
export function requireReconciler(settings: ReconcilerSettings | undefined): ReconcilerSettings {
  if (settings !== undefined) return settings;
  throw new HoldfastError(
    "usage",
    "the policies have no Reconciler document, so there is no repository to talk to",
    {
      hint: "see policies/reconciler.yaml of holdfast init",
    },
  );
}

export interface RepositoryPlace {
  readonly url: string;
  readonly branch: string;
  readonly path: string;
  readonly reportsBranch: string;
}

export async function openSource(world: WiredWorld, place: RepositoryPlace): Promise<PolicySource> {
  const { openGitSource } = await import("../source/git.ts");
  const token = process.env["HOLDFAST_GIT_TOKEN"];
  return openGitSource({
    ...place,
    cacheDirectory: join(world.stateDirectory, "repository.git"),
    ...(token === undefined ? {} : { token }),
    author: { name: "Holdfast", email: "holdfast@localhost" },
    log: world.log,
  });
}

export function placeOf(settings: ReconcilerSettings): RepositoryPlace {
  const { url, branch, path } = settings.repository;
  return { url, branch, path, reportsBranch: settings.reports.branch };
}
