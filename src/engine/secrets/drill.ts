/** A throwaway OpenBao on the loopback: the export or the snapshot is put into it, read back, and thrown away. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";
import type { EngineContext, Restored, RestoreRequest, RunningServer } from "../engine.ts";
import { askServer } from "./ask.ts";
import { canaryIn, canaryOn } from "./canary.ts";
import { snapshotArtifact } from "./capture.ts";
import { documentIn, readKey } from "./documents.ts";
import { exportMountOf } from "./export.ts";
import { differences } from "./fingerprint.ts";
import { findMounts, readPolicies } from "./key-value.ts";
import { loadDocuments } from "./load.ts";
import type { NamedDocument } from "./model.ts";
import { baoPath } from "./programs.ts";
import { snapshotOf } from "./restore.ts";
import { startThrowaway, type ThrowawayServer, untilActive } from "./server.ts";
import { settingsOf, tokenOf } from "./settings.ts";

/** @throws data-damaged naming what is different; tool-failed, tool-missing */
export async function start(
  context: EngineContext,
  restored: Restored,
  request: RestoreRequest,
): Promise<RunningServer> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  if (snapshotOf(member.manifest) !== undefined) return startSnapshot(context, restored);
  const documents = await documentsIn(restored.directory);
  const { key } = await readKey(member);
  const hasValues = documents.some(({ document }) => document.kind !== "List");
  if (!hasValues) return offline(documents);
  const folder = await mkdtemp(join(tmpdir(), "hf-secrets-"));
  const server = await startThrowaway(context, folder, "memory").catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const stop = () => stopAll(server, folder);
  try {
    context.step("writing every version into a throwaway server");
    const count = await loadDocuments(server.api, documents, context.clock, context.signal);
    await requireEqual(context, server, documents, key);
    return {
      connection: { vaultAddress: server.address, token: server.token },
      reached: { equal: `${count} secrets and policies by fingerprint` },
      ask: (statement) => askServer(server.api, statement),
      lastCanaryAt: async () => canaryIn(documents),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function stopAll(server: ThrowawayServer, folder: string): Promise<void> {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function documentsIn(directory: string): Promise<readonly NamedDocument[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      document: documentIn(name, await readFile(join(directory, name), "utf8")),
    })),
  );
}

/** Objects of a cluster alone: there is no throwaway cluster, so what can be asked is the documents. */
function offline(documents: readonly NamedDocument[]): RunningServer {
  const items = documents.flatMap(({ document }) => (document.kind === "List" ? document.items : []));
  return {
    connection: {},
    reached: { documents: `${items.length} objects read back, no cluster was started for them` },
    ask: async (statement) => {
      const match = /^objects\s*(>=|>|==)\s*(\d+)$/.exec(statement.trim());
      if (match === null)
        throw new HoldfastError("usage", `'${statement}' is no question`, { hint: "objects > 0" });
      const wanted = Number(match[2]);
      if (match[1] === "==") return items.length === wanted;
      return match[1] === ">" ? items.length > wanted : items.length >= wanted;
    },
    lastCanaryAt: async () => canaryIn(documents),
    stop: async () => undefined,
  };
}

/** Reads everything back from the server and compares by fingerprint; names only, never values. */
async function requireEqual(
  context: EngineContext,
  server: ThrowawayServer,
  documents: readonly NamedDocument[],
  key: string,
): Promise<void> {
  for (const { name, document } of documents) {
    let found: readonly string[] = [];
    if (document.kind === "KeyValueMount") {
      const [mount] = (await findMounts(server.api, [document.mount])).mounts;
      if (mount === undefined)
        throw new HoldfastError("tool-failed", `'${document.mount}' is not in the server`);
      found = differences(key, document, (await exportMountOf(context, server.api, mount, key)).document);
    } else if (document.kind === "AclPolicies") {
      found = differences(key, document, await readPolicies(server.api));
    }
    if (found.length === 0) continue;
    throw new HoldfastError(
      "data-damaged",
      `restored from '${name}', ${found.length} things are different: ${found.slice(0, 5).join(", ")}`,
    );
  }
}

/** The snapshot brings the source's own keys and tokens along: the server is sealed afterwards, as the source would be. */
async function startSnapshot(context: EngineContext, restored: Restored): Promise<RunningServer> {
  const { vault } = settingsOf(context.policy);
  if (vault?.unsealKeysFrom === undefined) {
    throw new HoldfastError("key-missing", "a raft snapshot opens with the source's unseal keys alone", {
      hint: "name them in connection.unsealKeysFrom on the machine that proves",
    });
  }
  const keys = (await context.secret(vault.unsealKeysFrom)).split(/[\s,]+/).filter((key) => key !== "");
  for (const key of keys) rememberSecret(key);
  const token = await tokenOf(context);
  const folder = await mkdtemp(join(tmpdir(), "hf-secrets-"));
  const server = await startThrowaway(context, folder, "raft").catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const stop = () => stopAll(server, folder);
  try {
    const program = await baoPath(context);
    const env = Object.fromEntries(
      ["BAO", "VAULT"].flatMap((name) => [
        [`${name}_ADDR`, server.address],
        [`${name}_TOKEN`, server.token],
      ]),
    );
    context.step("restoring the snapshot into a throwaway server");
    await context.exec.run(
      {
        argv: [
          program,
          "operator",
          "raft",
          "snapshot",
          "restore",
          "-force",
          join(restored.directory, snapshotArtifact),
        ],
        env,
      },
      { signal: context.signal, deadlineMs: 120_000 },
    );
    const api = server.open(token);
    await unseal(context, server, keys);
    const { mounts } = await findMounts(api, settingsOf(context.policy).mounts);
    return {
      connection: { vaultAddress: server.address, token },
      reached: { unsealed: `${mounts.length} key-value mounts with the source's own keys` },
      ask: (statement) => askServer(api, statement),
      lastCanaryAt: (): Promise<Instant | undefined> => canaryOn(api, mounts),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** It goes down to take the snapshot in; keys given too early are forgotten, so they are given until it is active. */
async function unseal(
  context: EngineContext,
  server: ThrowawayServer,
  keys: readonly string[],
): Promise<void> {
  const anonymous = server.open("");
  const give = async (): Promise<void> => {
    for (const key of keys) {
      const { status } = await anonymous.ask("PUT", "sys/unseal", { key });
      if (status >= 400)
        throw new HoldfastError("key-wrong", "the unseal keys do not open the snapshot", {
          hint: "connection.unsealKeysFrom must hold the keys the source had when the snapshot was taken",
        });
    }
  };
  await untilActive(context, anonymous, (health) => health === "sealed");
  await untilActive(context, anonymous, async (health) => {
    if (health === "sealed") await give();
    return health === "active";
  });
}
