/** One point: an export of values as encrypted documents, or a raft snapshot as the server makes it. */

import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext, WatchedPoint } from "../engine.ts";
import type { Api } from "./api.ts";
import { keyArtifact, readKey, storeDocument } from "./documents.ts";
import { exportAll } from "./export.ts";
import { fingerprintOf, newFingerprintKey } from "./fingerprint.ts";
import { kubectlArgv } from "./kubernetes.ts";
import { baoPath, programVersion } from "./programs.ts";
import { openVault, settingsOf, tokenOf } from "./settings.ts";

const serverMemoryBytes = 256 * 1024 * 1024;
export const snapshotArtifact = "raft.snap";

interface ServerFacts {
  readonly version: string;
  readonly identity: string;
}

/** @throws as the contract says */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const { vault } = settingsOf(context.policy);
  const api = vault === undefined ? undefined : await openVault(context);
  try {
    return context.policy.capture.method === "raft-snapshot" && api !== undefined
      ? await captureSnapshot(context, api, sink)
      : await captureExport(context, api, request.newest, sink);
  } finally {
    api?.close();
  }
}

async function captureExport(
  context: EngineContext,
  api: Api | undefined,
  newest: WatchedPoint | undefined,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const server = api === undefined ? await clusterFacts(context) : await serverFacts(api);
  const tools = settingsOf(context.policy).kubernetes === undefined ? {} : await kubectlVersion(context);
  // The key goes on from point to point, or equal values could not be told to be equal.
  const known = newest === undefined ? undefined : await readKey(newest).catch(() => undefined);
  const key = known?.key ?? newFingerprintKey();
  const taken = await exportAll(context, api, key);
  const consistentAt = instant(context.clock.nowMs());
  context.signal.throwIfAborted();
  if (taken.count === 0) {
    throw new HoldfastError("empty-backup", "the export found neither a secret nor a policy", {
      hint: "look at the token's rights and at capture.options",
    });
  }
  const fingerprints = fingerprintOf(key, taken.documents);
  let sizeBytes = 0;
  for (const { name, document } of taken.documents) sizeBytes += await storeDocument(sink, name, document);
  await storeDocument(sink, keyArtifact, { kind: "FingerprintKey", key, markers: taken.markers });
  return {
    capture: "full",
    parents: [],
    filesCount: taken.count,
    tools,
    server,
    restoreNeeds: { diskBytes: 2 * sizeBytes + 1024 * 1024, memoryBytes: serverMemoryBytes + 4 * sizeBytes },
    engine: {
      fingerprint: fingerprints[""],
      documents: Object.fromEntries(Object.entries(fingerprints).filter(([name]) => name !== "")),
      leftOut: taken.leftOut,
      settled: taken.settled,
    },
    consistentAt,
  };
}

/** @throws source-unreachable when the server is not there, sealed, or was never initialised */
export async function serverFacts(api: Api): Promise<ServerFacts> {
  const answer = await api.ask(
    "GET",
    "sys/health?standbyok=true&perfstandbyok=true&sealedcode=299&uninitcode=298",
  );
  const { version, cluster_id } = (answer.body ?? {}) as { version?: string; cluster_id?: string };
  if (answer.status === 299 || answer.status === 298) {
    const what = answer.status === 299 ? "sealed" : "not initialised";
    throw new HoldfastError("source-unreachable", `the server at ${api.address} is ${what}`, {
      hint: answer.status === 299 ? "unseal it" : "is the address the right one?",
    });
  }
  return { version: version ?? "unknown", identity: cluster_id ?? "" };
}

async function kubectlVersion(context: EngineContext): Promise<Readonly<Record<string, string>>> {
  const argv = await kubectlArgv(context, "version", "--client", "--output=json");
  const { stdout } = await context.exec.run({ argv }, { deadlineMs: 10_000, signal: context.signal });
  return { kubectl: /"gitVersion":\s*"v?([^"]+)"/.exec(stdout)?.[1] ?? "unknown" };
}

/** A cluster is known by the identity of its first namespace, as it is to other tools. */
export async function clusterFacts(context: EngineContext): Promise<ServerFacts> {
  const ask = async (path: string): Promise<string> => {
    const argv = await kubectlArgv(context, "get", `--raw=${path}`);
    return (await context.exec.run({ argv }, { deadlineMs: 30_000, signal: context.signal })).stdout;
  };
  const version = /"gitVersion":\s*"v?([^"]+)"/.exec(await ask("/version"))?.[1] ?? "unknown";
  const identity = await ask("/api/v1/namespaces/kube-system").then(
    (text) => /"uid":\s*"([^"]+)"/.exec(text)?.[1] ?? "",
    () => "",
  );
  return { version, identity: identity === "" ? "cluster" : identity };
}

/**
 * The server's own program writes to its standard output and checks the end of the stream itself, which the
 * API alone does not. The token is in its environment.
 */
async function captureSnapshot(context: EngineContext, api: Api, sink: ArtifactSink): Promise<CaptureResult> {
  const program = await baoPath(context);
  // Asked beside the snapshot; a program that cannot even say that fails there too.
  const version = programVersion(context, program);
  version.catch(() => undefined);
  const server = await serverFacts(api);
  const { vault } = settingsOf(context.policy);
  const token = await tokenOf(context);
  const env: Record<string, string> = {};
  for (const prefix of ["BAO", "VAULT"]) {
    env[`${prefix}_ADDR`] = api.address;
    env[`${prefix}_TOKEN`] = token;
    if (vault?.caFile !== undefined) env[`${prefix}_CACERT`] = vault.caFile;
    if (vault?.namespace !== undefined) env[`${prefix}_NAMESPACE`] = vault.namespace;
  }
  context.step(`raft snapshot of ${new URL(api.address).host}, version ${server.version}`);
  const { artifact } = await sink.fromCommand(snapshotArtifact, {
    // It opens its output by name, which a socket refuses and a pipe allows; the words of the script are fixed.
    argv: ["bash", "-o", "pipefail", "-c", '"$0" operator raft snapshot save /dev/stdout | cat', program],
    env,
  });
  return {
    capture: "full",
    parents: [],
    filesCount: 1,
    tools: { bao: await version },
    server,
    restoreNeeds: {
      diskBytes: 8 * artifact.plainSizeBytes + 64 * 1024 * 1024,
      memoryBytes: serverMemoryBytes,
    },
    engine: {},
    consistentAt: instant(context.clock.nowMs()),
  };
}
