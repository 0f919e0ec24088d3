/** A throwaway mongod on a private socket: loads the archive, replays the oplog, answers, and is thrown away. */
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { Resident } from "../../exec/exec.ts";
import type { EngineContext, Restored, RestoreRequest, RunningServer } from "../engine.ts";
import type { ArchiveFacts } from "./archive.ts";
import { ask } from "./ask.ts";
import { lastCanaryAt } from "./canary.ts";
import { archiveArtifact } from "./capture.ts";
import { compareContents } from "./compare.ts";
import { type Connection, settingsOf, uriOf, withClient } from "./connection.ts";
import { replayFile } from "./replay.ts";
import { archiveArguments, contentsFile } from "./restore.ts";
import { toolPath } from "./tool.ts";

const readyMs = 60_000;
const keptLines = 200;

/** @throws tool-failed with the server's or the tool's last words; data-damaged when what was loaded differs */
export async function start(
  context: EngineContext,
  restored: Restored,
  request: RestoreRequest,
): Promise<RunningServer> {
  const { directory } = restored;
  const facts = JSON.parse(await readFile(join(directory, contentsFile), "utf8")) as ArchiveFacts;
  const server = await startServer(context, join(directory, "data"));
  try {
    await load(context, server.connection, archiveArguments(facts, join(directory, archiveArtifact)));
    const compared = await withClient(server.connection, (client) => compareContents(client, facts));
    const replay = join(directory, replayFile);
    const hasReplay = await stat(replay).then(
      ({ size }) => size > 0,
      () => false,
    );
    if (hasReplay) {
      context.step("replaying the oplog");
      await load(context, server.connection, ["--oplogReplay", `--dir=${join(directory, "oplog")}`]);
    }
    const target = request.target.kind === "time" ? request.target.at : request.target.kind;
    return {
      connection: { host: server.connection.host, port: server.connection.port },
      reached: {
        equal: `${compared} collections by count and contents`,
        replayed: hasReplay ? target : "the dump's own oplog",
      },
      ask: (statement, database) =>
        withClient(server.connection, (client) => ask(client, statement, database)),
      lastCanaryAt: () => withClient(server.connection, lastCanaryAt),
      stop: server.stop,
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

interface StartedServer {
  readonly connection: Connection;
  stop(): Promise<void>;
}

async function startServer(context: EngineContext, dataDirectory: string): Promise<StartedServer> {
  const program = await toolPath(context, "mongod");
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  // A socket's path may have 107 bytes, so it cannot be below an arbitrary folder.
  const folder = await mkdtemp(join(tmpdir(), "hf-mongo-"));
  const socket = join(folder, "mongod.sock");
  const lines: string[] = [];
  const resident = context.exec.resident(
    { argv: [program, "--dbpath", dataDirectory, "--bind_ip", socket, "--port", "27017"], cwd: folder },
    (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
  );
  const stop = async (): Promise<void> => {
    await resident.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  };
  const connection = settingsOf({ host: socket });
  try {
    await untilReady(context, resident, connection, lines);
  } catch (error) {
    await stop();
    throw error;
  }
  return { connection, stop };
}

async function untilReady(
  context: EngineContext,
  resident: Resident,
  connection: Connection,
  lines: readonly string[],
): Promise<void> {
  let isEnded = false;
  void resident.ended.then(() => {
    isEnded = true;
  });
  const giveUpAtMs = context.clock.nowMs() + readyMs;
  for (;;) {
    context.signal.throwIfAborted();
    const words = lines.slice(-8).join("\n  ");
    if (isEnded) throw new HoldfastError("tool-failed", `mongod has ended:\n  ${words}`);
    if (context.clock.nowMs() > giveUpAtMs)
      throw new HoldfastError("tool-failed", `mongod was not ready after ${readyMs} ms:\n  ${words}`);
    const isThere = await stat(connection.host).then(
      () => true,
      () => false,
    );
    if (isThere) {
      const isReady = await withClient(connection, (client) => client.db("admin").command({ ping: 1 })).then(
        () => true,
        () => false,
      );
      if (isReady) return;
    }
    await context.clock.wait(100, context.signal);
  }
}

/** One run of mongorestore. It goes on past documents it could not load, so its count of them is read too. */
async function load(context: EngineContext, connection: Connection, what: readonly string[]): Promise<void> {
  const program = await toolPath(context, "mongorestore");
  const { stderr } = await context.exec.run(
    { argv: [program, `--uri=${uriOf(connection)}`, ...what] },
    { signal: context.signal, deadlineMs: context.policy.deadlineMs },
  );
  const failed = Number(/(\d+) document\(s\) failed to restore/.exec(stderr)?.[1] ?? 0);
  if (failed === 0) return;
  const words = stderr.trim().split("\n").slice(-5).join("\n  ");
  throw new HoldfastError("tool-failed", `mongorestore could not load ${failed} documents:\n  ${words}`);
}
