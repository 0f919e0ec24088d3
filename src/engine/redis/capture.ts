/**
 * One snapshot with redis-cli, which joins as a replica and writes what the server sends, streamed into the
 * sink; where the policy says so the append-only file as one set. @see redis-cli --rdb
 */
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { type AppendOnlySet, captureSet, setDirectory } from "./append-only.ts";
import { type Connection, connectionOf, placeOf, toolAddress, withClient } from "./connection.ts";
import { readFacts, type ServerFacts, serverNow } from "./facts.ts";
import { toolPath, toolVersion } from "./tool.ts";

export const snapshotArtifact = "dump.rdb";
const mebibyte = 1024 * 1024;
/** A replica that has not heard its primary for so long is not trusted to be near it. */
const silentLimitSeconds = 60;

/** @throws as the contract says; source-unreachable for a replica whose link is down */
export async function capture(
  context: EngineContext,
  _request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const connection = await connectionOf(context);
  const program = await toolPath(context, "redis-cli");
  const version = await toolVersion(context, program);
  const { facts, consistentAt } = await withClient(connection, async (client) => {
    // Read before the snapshot is asked for, so that every write up to here is in it.
    const now = await serverNow(client);
    const found = await readFacts(client);
    requireNear(connection, found);
    return { facts: found, consistentAt: certainAt(now, found) };
  });
  context.step(`redis-cli --rdb of ${placeOf(connection)}, Redis ${facts.version}`);
  const snapshotBytes = await takeSnapshot(connection, program, sink);
  const directory = setDirectory(context);
  const set = directory === undefined ? undefined : await captureSet(context, connection, directory, sink);
  const setBytes = set?.files.reduce((sum, file) => sum + file.sizeBytes, 0) ?? 0;
  return {
    capture: "full",
    parents: [],
    filesCount: 1 + (set === undefined ? 0 : set.files.length + 1),
    tools: { "redis-cli": version },
    server: { version: facts.version, identity: facts.identity },
    restoreNeeds: {
      // The snapshot, the set that is made of it, and the rewrite a new server does.
      diskBytes: 3 * snapshotBytes + setBytes + 64 * mebibyte,
      memoryBytes: Math.ceil(facts.usedMemoryBytes * 1.2) + 64 * mebibyte,
    },
    engine: { ...engineFacts(facts, snapshotBytes, set), database: connection.database },
    consistentAt,
  };
}

function engineFacts(
  facts: ServerFacts,
  snapshotBytes: number,
  set: AppendOnlySet | undefined,
): Record<string, unknown> {
  return {
    snapshotBytes,
    keys: facts.keysCount,
    role: facts.role,
    ...(set === undefined ? {} : { appendOnly: set.files.map((file) => file.name) }),
  };
}

/** @throws source-unreachable, with what is wrong between a replica and its primary */
function requireNear(connection: Connection, { link, isLoading }: ServerFacts): void {
  const refuse = (why: string): never => {
    throw new HoldfastError("source-unreachable", `Redis at ${placeOf(connection)} ${why}`, {
      hint: "look at INFO replication there, or name the primary in the policy",
    });
  };
  if (isLoading) refuse("is still loading its data");
  if (link === undefined) return;
  if (link.isSyncing) refuse("is a replica that still gets its first copy");
  if (!link.isUp) refuse("is a replica whose link to its primary is down: its data may be old");
  if (link.silentSeconds > silentLimitSeconds)
    refuse(`is a replica that has not heard its primary for ${link.silentSeconds} s`);
}

/**
 * Every write up to the returned instant is in a snapshot that is asked for after `now`. A server that writes one
 * to its disk for somebody else gives us the same, begun in the past; a replica may not have heard the last seconds.
 * @see replication.c, syncCommand: "Waiting for end of BGSAVE for SYNC"
 */
export function certainAt(now: Instant, { info, link }: Pick<ServerFacts, "info" | "link">): Instant {
  const isSaving = info["rdb_bgsave_in_progress"] === "1";
  // Both ages are whole seconds, rounded down.
  const savingSeconds = isSaving ? Number(info["rdb_current_bgsave_time_sec"] ?? 0) + 1 : 0;
  const silentSeconds = link === undefined ? 0 : link.silentSeconds + 1;
  return instant(Date.parse(now) - 1000 * (savingSeconds + silentSeconds));
}

/** @returns bytes of the snapshot itself; behind it the stream has the server's end mark */
async function takeSnapshot(connection: Connection, program: string, sink: ArtifactSink): Promise<number> {
  const { args, env } = toolAddress(connection);
  const { stderr } = await sink.fromCommand(snapshotArtifact, {
    argv: [program, ...args, "--rdb", "-"],
    env,
  });
  const end = /Transfer finished with success(?: after (\d+) bytes)?/.exec(stderr);
  // Without repl-diskless-sync the length is known, and told, before the first byte.
  const told = end?.[1] ?? /SYNC sent to master, writing (\d+) bytes/.exec(stderr)?.[1];
  const bytes = end === null || told === undefined ? Number.NaN : Number(told);
  if (Number.isInteger(bytes) && bytes > 0) return bytes;
  const words = stderr.trim().split("\n").slice(-3).join("; ");
  throw new HoldfastError(
    "tool-failed",
    `redis-cli ended well and does not say that the snapshot is whole: ${words}`,
  );
}
