/** One small secret that carries the present instant; written where nobody else writes. */
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { type Api, escapePath } from "./api.ts";
import { findMounts, type Mount } from "./key-value.ts";
import { kubectlArgv } from "./kubernetes.ts";
import type { NamedDocument } from "./model.ts";
import { canaryPath, canarySecret, openVault, settingsOf } from "./settings.ts";

/** After it the canary of the first mount, or of the first namespace, holds the returned instant. */
export async function writeCanary(context: EngineContext): Promise<Instant> {
  const settings = settingsOf(context.policy);
  const at = instant(context.clock.nowMs());
  if (settings.vault === undefined) {
    await writeObject(context, settings.kubernetes?.namespaces[0] ?? "default", at);
    return at;
  }
  const api = await openVault(context);
  try {
    const [mount] = (await findMounts(api, settings.mounts)).mounts;
    if (mount === undefined)
      throw new HoldfastError("tool-failed", "there is no key-value mount for a canary");
    await api.write(canaryPlace(mount), mount.version === 2 ? { data: { at } } : { at });
  } finally {
    api.close();
  }
  return at;
}

function canaryPlace(mount: Mount): string {
  return `${escapePath(mount.path)}${mount.version === 2 ? "data/" : ""}${escapePath(canaryPath)}`;
}

async function writeObject(context: EngineContext, namespace: string, at: Instant): Promise<void> {
  const input = JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: canarySecret, namespace },
    stringData: { at },
  });
  const argv = await kubectlArgv(context, "apply", "--server-side", "--force-conflicts", "--filename=-");
  await context.exec.run({ argv }, { input, deadlineMs: 30_000, signal: context.signal });
}

/** The newest canary of a server, looked for in the mounts it has. */
export async function canaryOn(api: Api, mounts: readonly Mount[]): Promise<Instant | undefined> {
  const found: (Instant | undefined)[] = [];
  for (const mount of mounts) {
    const answer = await api.read(canaryPlace(mount));
    const data = mount.version === 2 ? (answer?.["data"] as Record<string, unknown> | undefined) : answer;
    found.push(instantIn(data?.["at"]));
  }
  return newest(found);
}

/** The newest canary in exported documents. */
export function canaryIn(documents: readonly NamedDocument[]): Instant | undefined {
  return newest(
    documents.flatMap(({ document }) => {
      if (document.kind === "KeyValueMount") {
        const data = document.secrets.find((s) => s.path === canaryPath)?.versions.at(-1)?.data;
        return [instantIn((data as Record<string, unknown> | null | undefined)?.["at"])];
      }
      if (document.kind !== "List") return [];
      return document.items
        .filter((item) => item.metadata.name === canarySecret)
        .map((item) => instantIn(Buffer.from(item.data?.["at"] ?? "", "base64").toString("utf8")));
    }),
  );
}

function newest(found: readonly (Instant | undefined)[]): Instant | undefined {
  return found
    .filter((at) => at !== undefined)
    .sort()
    .at(-1);
}

function instantIn(value: unknown): Instant | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : instant(ms);
}
