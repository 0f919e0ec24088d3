/** A throwaway redis-server on a private socket: loads what was restored, answers, and is thrown away. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { Resident } from "../../exec/exec.ts";
import type { EngineContext, Restored, RestoreRequest, RunningServer } from "../engine.ts";
import { setFolder } from "./append-only.ts";
import { ask } from "./ask.ts";
import { lastCanaryAt } from "./canary.ts";
import { snapshotArtifact } from "./capture.ts";
import { type Connection, settingsOf, withClient } from "./connection.ts";
import { keysIn, parseInfo } from "./facts.ts";
import { toolPath } from "./tool.ts";

const readyMs = 10 * 60_000;
const keptLines = 100;

/** @throws tool-failed with the server's last words; tool-version when it is too old for the data */
export async function start(
  context: EngineContext,
  restored: Restored,
  request: RestoreRequest,
): Promise<RunningServer> {
  const program = await toolPath(context, "redis-server");
  // A socket's path may have 107 bytes, so it cannot be below an arbitrary folder.
  const folder = await mkdtemp(join(tmpdir(), "hf-redis-"));
  const connection = settingsOf({ host: join(folder, "redis.sock"), database: databaseOf(request) });
  const lines: string[] = [];
  const resident = context.exec.resident(
    { argv: [program, ...serverArguments(restored.directory, connection.host)] },
    (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
  );
  const stop = async (): Promise<void> => {
    await resident.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const keys = await untilLoaded(context, resident, connection, lines);
    return {
      connection: { host: connection.host, database: connection.database },
      reached: { keys: String(keys), loaded: await loadedFrom(restored.directory) },
      ask: (statement, database) => withClient(connection, (client) => ask(client, statement, database)),
      lastCanaryAt: () => withClient(connection, lastCanaryAt),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function databaseOf(request: RestoreRequest): number {
  const database = request.chain[0]?.manifest.engine["database"];
  return typeof database === "number" ? database : 0;
}

/** No snapshot of its own, no TCP port: it is there to be asked and thrown away. */
function serverArguments(directory: string, socket: string): readonly string[] {
  return [
    ...["--dir", directory, "--dbfilename", snapshotArtifact, "--appendonly", "yes", "--save", ""],
    ...["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--daemonize", "no"],
    // A snapshot of a larger machine must not be thrown out again by a limit that is none of ours.
    ...["--maxmemory", "0", "--auto-aof-rewrite-percentage", "0"],
  ];
}

async function loadedFrom(directory: string): Promise<string> {
  const names = await readdir(join(directory, setFolder));
  return names.some((name) => name.includes(".incr.")) ? "the append-only file" : "the snapshot";
}

/** The keys it holds once it has loaded everything. */
async function untilLoaded(
  context: EngineContext,
  resident: Resident,
  connection: Connection,
  lines: readonly string[],
): Promise<number> {
  let isEnded = false;
  void resident.ended.then(() => {
    isEnded = true;
  });
  const giveUpAtMs = context.clock.nowMs() + readyMs;
  for (;;) {
    context.signal.throwIfAborted();
    if (isEnded) throw endOf(lines);
    if (context.clock.nowMs() > giveUpAtMs)
      throw new HoldfastError(
        "tool-failed",
        `redis-server has not loaded its data after ${readyMs / 1000} s`,
      );
    const info = await withClient(connection, async (client) =>
      parseInfo(String(await client.command("INFO", "everything"))),
    ).catch((error: unknown) => {
      if (error instanceof HoldfastError) return undefined;
      throw error;
    });
    if (info?.["loading"] === "0") return keysIn(info);
    await context.clock.wait(50, context.signal);
  }
}

function endOf(lines: readonly string[]): HoldfastError {
  const words = lines.slice(-8).join("\n  ");
  if (/Can't handle RDB format version/.test(words)) {
    return new HoldfastError("tool-version", `this redis-server is older than the data:\n  ${words}`, {
      hint: "install the source's version or a newer one, or name its folder in capture.options.toolDirectory",
    });
  }
  return new HoldfastError("tool-failed", `redis-server has ended:\n  ${words}`);
}
