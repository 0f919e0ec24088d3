/** Puts exported documents into a server: mounts, every version under its own number, policies. */
import { HoldfastError } from "../../errors.ts";
import type { Clock } from "../../time/clock.ts";
import { mapInLanes } from "../lanes.ts";
import { type Api, escapePath } from "./api.ts";
import type { ExportedMount, ExportedSecret, NamedDocument } from "./model.ts";

const readyMs = 30_000;
const lookEveryMs = 50;
/** In the place of a version that was deleted, and destroyed at once: versions keep their numbers. */
const placeholder = { holdfast: "placeholder" };

/** How many secrets and policies it has written. @throws tool-failed, source-unreachable */
export async function loadDocuments(
  api: Api,
  documents: readonly NamedDocument[],
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (const { document } of documents) {
    if (document.kind === "KeyValueMount") {
      await enable(api, document, clock, signal);
      await mapInLanes(document.secrets, (secret) => loadSecret(api, document, secret));
      if (document.version === 2) await api.write(`${escapePath(document.mount)}config`, document.config);
      count += document.secrets.length;
    } else if (document.kind === "AclPolicies") {
      for (const { name, policy } of document.policies) {
        await api.write(`sys/policies/acl/${escapePath(name)}`, { policy }, "PUT");
        count += 1;
      }
    }
  }
  return count;
}

async function enable(api: Api, mount: ExportedMount, clock: Clock, signal: AbortSignal): Promise<void> {
  const path = escapePath(mount.mount.replace(/\/$/, ""));
  const { description, version } = mount;
  await api.write(`sys/mounts/${path}`, { type: "kv", description, options: { version: String(version) } });
  if (version === 1) return;
  // A fresh mount of version 2 prepares itself for a moment, and answers 400 meanwhile.
  for (const giveUpAtMs = clock.nowMs() + readyMs; ; await clock.wait(lookEveryMs, signal)) {
    const { status } = await api.ask("GET", `${path}/config`);
    if (status === 200) break;
    if (clock.nowMs() > giveUpAtMs)
      throw new HoldfastError("tool-failed", `the mount '${mount.mount}' was not ready in time`);
  }
  // The mount's limit decides which versions stay while they are written; its other settings come afterwards.
  await api.write(`${path}/config`, { max_versions: mount.config["max_versions"] ?? 0 });
}

async function loadSecret(api: Api, mount: ExportedMount, secret: ExportedSecret): Promise<void> {
  const root = escapePath(mount.mount);
  const path = escapePath(secret.path);
  if (mount.version === 1) {
    await api.write(`${root}${path}`, secret.versions[0]?.data ?? {});
    return;
  }
  const about = secret.metadata;
  const metadata = { custom_metadata: about?.custom ?? {}, max_versions: about?.maxVersions ?? 0 };
  // Before the values: how many versions stay is decided while they are written.
  await api.write(`${root}metadata/${path}`, metadata);
  const values = new Map(secret.versions.map((v) => [v.version, v.data]));
  const gone: number[] = [];
  for (let version = 1; version <= (about?.current ?? 1); version += 1) {
    const data = values.get(version) ?? null;
    if (data === null) gone.push(version);
    await api.write(`${root}data/${path}`, { data: data ?? placeholder });
  }
  if (gone.length > 0) await api.write(`${root}destroy/${path}`, { versions: gone }, "PUT");
  await api.write(`${root}metadata/${path}`, {
    ...metadata,
    cas_required: about?.casRequired ?? false,
    delete_version_after: about?.deleteVersionAfter ?? "0s",
  });
}
