/** A repository on a folder store, with what a policy needs and no more. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogNames } from "../../../src/catalogue/catalogue.ts";
import { instant } from "../../../src/catalogue/instant.ts";
import type { Manifest } from "../../../src/catalogue/manifest.ts";
import { newIdentity } from "../../../src/crypto/identity.ts";
import { openExec } from "../../../src/exec/system.ts";
import { silent } from "../../../src/log.ts";
import type { Policy, StoreSettings } from "../../../src/policy/model.ts";
import { openRepository, type RepositoryInput } from "../../../src/repository/open.ts";
import type { PointDraft } from "../../../src/repository/repository.ts";
import { openDirectoryStore } from "../../../src/store/directory.ts";
import { type Clock, systemClock } from "../../../src/time/clock.ts";

export const logNames: LogNames = {
  segmentBytes: 16 * 1024 * 1024,
  parseSegment: (name) =>
    /^[0-9A-F]{24}$/.test(name)
      ? { branch: name.slice(0, 8), sequence: Number.parseInt(name.slice(16), 16) }
      : undefined,
  segmentName: (branch, sequence) =>
    `${branch}00000000${sequence.toString(16).toUpperCase().padStart(8, "0")}`,
  parseHistory: (branch, text) => ({
    branch,
    parent: text.split("\t")[0]!,
    forkSequence: Number(text.split("\t")[1]),
  }),
  forManifest: () => logNames,
};

export async function makeFixture(options: { codec?: "none" | "gzip" | "zstd"; clock?: Clock } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-repository-"));
  const keys = await newIdentity();
  const settings = { name: "disk", type: "directory", path: join(folder, "store") } as StoreSettings;
  const policyOf = (name: string) =>
    ({
      name,
      component: "postgresql",
      capture: { method: "base-backup", codec: options.codec ?? "zstd", level: 1, options: {} },
      store: { name: "disk", prefix: `${name}/` },
      log: { store: { name: "disk", prefix: `${name}-wal/` } },
      deadlineMs: 600_000,
    }) as unknown as Policy;
  const store = openDirectoryStore(settings);
  const inputOf = (name = "pg", identities: readonly string[] = [keys.identity], cluster = "prod") => {
    const input: RepositoryInput = {
      policy: policyOf(name),
      cluster,
      settings,
      stores: { read: store, write: store, delete: store },
      logStores: { read: store, write: store, delete: store },
      logNames,
      recipients: [keys.recipient],
      identities: async () => identities,
      exec: openExec(),
      clock: options.clock ?? systemClock,
      log: silent,
    };
    return input;
  };
  const open = (...about: Parameters<typeof inputOf>) => openRepository(inputOf(...about));
  return {
    folder,
    keys,
    store,
    settings,
    inputOf,
    open,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export function manifestFor(draft: PointDraft, policy = "pg", cluster = "prod"): Manifest {
  const at = instant(Date.UTC(2026, 10, 20, 2));
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "RecoveryPoint",
    id: draft.id,
    policy,
    component: "postgresql",
    cluster,
    revision: "",
    runId: draft.runId,
    slotAt: at,
    startedAt: at,
    finishedAt: at,
    consistentAt: at,
    method: "base-backup",
    capture: "full",
    parents: [],
    artifacts: draft.artifacts,
    sizeBytes: draft.artifacts.flatMap((a) => a.objects).reduce((sum, o) => sum + o.sizeBytes, 0),
    filesCount: 1,
    encryption: { suite: "AES-256-GCM", recipients: ["runner"] },
    tools: {},
    server: { version: "15", identity: "1" },
    restoreNeeds: { diskBytes: 0, memoryBytes: 0 },
    engine: {},
    previous: null,
    signature: null,
  };
}
