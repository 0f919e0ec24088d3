/**
 * One capture run. Order matters: lock, marker, capture, log, manifest. Whatever fails before the manifest
 * leaves no recovery point; whatever fails after it cannot take one away.
 */
import type { Catalogue } from "../catalogue/catalogue.ts";
import { compactInstant, instant } from "../catalogue/instant.ts";
import type { Manifest, PointId } from "../catalogue/manifest.ts";
import { isScheduledByTool } from "../component.ts";
import type { CaptureRequest, CaptureResult } from "../engine/engine.ts";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { PointDraft, Repository } from "../repository/repository.ts";
import { parentsFor } from "./parents.ts";
import type { World } from "./world.ts";

export interface BackupOptions {
  /** Nominal instant of the run in milliseconds; a run without one takes the present second. */
  readonly slotAtMs?: number;
  /** Full even where the schedule says incremental. */
  readonly full?: boolean;
}

export interface BackupOutcome {
  readonly point: PointId;
  /** `already`: this slot had been captured before; nothing was done. */
  readonly outcome: "captured" | "already";
  readonly capture: "full" | "incremental";
  readonly sizeBytes: number;
  readonly filesCount: number;
  readonly durationMs: number;
}

/**
 * After it the point for the slot exists and its manifest is in the store.
 * @throws locked, store-identity, and whatever engine and store throw; then no point was made
 */
export async function backup(world: World, policy: Policy, options: BackupOptions): Promise<BackupOutcome> {
  if (isScheduledByTool(policy.component, policy.capture.method)) {
    throw new HoldfastError(
      "usage",
      `the backups of '${policy.name}' are begun by the tool's own schedule and by nobody else`,
      { hint: "capture.method says so; another method of the component makes points that are proved" },
    );
  }
  const engine = await world.engine(policy);
  const startedAtMs = world.clock.nowMs();
  const slotAtMs = options.slotAtMs ?? Math.floor(startedAtMs / 1000) * 1000;
  const id = compactInstant(slotAtMs);
  const repository = await world.repository(policy);
  repository.expectDraft();
  const lease = await repository.lock("run", world.holder);
  try {
    await repository.mark();
    const catalogue = await repository.catalogue();
    const existing = catalogue.points.find((p) => p.manifest.id === id)?.manifest;
    if (existing !== undefined) return outcomeOf(existing, "already");
    const draft = await repository.draft(id, world.revision, (p) => world.progress(p));
    try {
      const result = await world.withContext(policy, { signals: [lease.signal] }, (context) =>
        engine.capture(
          context,
          {
            id,
            slotAt: instant(slotAtMs),
            parents: options.full === true ? [] : parentsFor(policy, catalogue, repository, slotAtMs),
            capture: policy.capture.fullCron !== undefined && options.full !== true ? "incremental" : "full",
            ...newestOf(catalogue, repository),
            ...(policy.log === undefined ? {} : { log: repository.log }),
          },
          draft.sink,
        ),
      );
      // Without the lease somebody else may be writing this slot by now.
      lease.signal.throwIfAborted();
      const manifest = assemble(world, policy, draft, result, { startedAtMs, slotAtMs });
      await draft.commit({ ...manifest, previous: await previousOf(repository) });
      return outcomeOf(manifest, "captured");
    } catch (error) {
      await draft.discard().catch((cause: unknown) => {
        // The sweep finds what is left; the first failure is the one to tell.
        world.log.warn("left-over objects of a failed capture could not be removed yet", {
          policy: policy.name,
          cause: String(cause),
        });
      });
      throw error;
    }
  } finally {
    await lease.release();
  }
}

function newestOf(catalogue: Catalogue, repository: Repository): Pick<CaptureRequest, "newest"> {
  const manifest = catalogue.points.at(-1)?.manifest;
  return manifest === undefined ? {} : { newest: { manifest, source: repository.source(manifest) } };
}

function outcomeOf(manifest: Manifest, outcome: BackupOutcome["outcome"]): BackupOutcome {
  return {
    point: manifest.id,
    outcome,
    capture: manifest.capture,
    sizeBytes: manifest.sizeBytes,
    filesCount: manifest.filesCount,
    durationMs: Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt),
  };
}

async function previousOf(repository: Repository): Promise<Manifest["previous"]> {
  const newest = (await repository.catalogue()).points.at(-1);
  return newest === undefined ? null : { id: newest.manifest.id, sha256: newest.manifestSha256 };
}

/** Bytes that a tool has carried to the store by itself are not in our envelope, and the manifest says so. */
function suiteOf(artifacts: PointDraft["artifacts"]): string {
  const carried = artifacts.filter((a) => a.carried === true);
  if (carried.length === 0) return "AES-256-GCM";
  if (carried.length === artifacts.length) return "none";
  return `AES-256-GCM, except ${carried.map((a) => a.name).join(", ")}`;
}

function assemble(
  world: World,
  policy: Policy,
  draft: PointDraft,
  result: CaptureResult,
  at: { readonly startedAtMs: number; readonly slotAtMs: number },
): Manifest {
  if (draft.artifacts.length === 0) {
    throw new HoldfastError("empty-backup", `the capture of '${policy.name}' stored nothing`);
  }
  const objects = draft.artifacts.flatMap((a) => a.objects);
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "RecoveryPoint",
    id: draft.id,
    policy: policy.name,
    component: policy.component,
    cluster: world.cluster,
    revision: world.revision,
    runId: draft.runId,
    slotAt: instant(at.slotAtMs),
    startedAt: instant(at.startedAtMs),
    finishedAt: instant(world.clock.nowMs()),
    method: policy.capture.method,
    artifacts: draft.artifacts,
    sizeBytes: objects.reduce((sum, o) => sum + o.sizeBytes, 0),
    encryption: {
      suite: suiteOf(draft.artifacts),
      recipients: policy.encryption.recipients,
    },
    previous: null,
    signature: null,
    ...result,
  };
}
