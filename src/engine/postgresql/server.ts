/** Runs a server on a data directory, on a private socket (and a port where one is asked for). */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { Exec, Resident } from "../../exec/exec.ts";
import type { Clock } from "../../time/clock.ts";
import { type Connection, withClient } from "./connection.ts";
import { serverUser } from "./programs.ts";

export interface ServerOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Full path of `postgres`. */
  readonly program: string;
  readonly dataDirectory: string;
  readonly user: string;
  readonly database: string;
  /** Further settings, given on the command line so that they win over every file. */
  readonly settings: Readonly<Record<string, string>>;
  /** Ready when this holds; every connection accepted is not yet the end of recovery. */
  readonly until: "accepting" | "promoted";
  readonly deadlineMs: number;
}

export interface StartedServer {
  readonly connection: Connection;
  readonly pid: number;
  /** Lines of its log so far, the last 2,000. */
  readonly log: readonly string[];
  /** `immediate` throws everything away, as `kill -9` would. */
  stop(how: "fast" | "immediate"): Promise<void>;
}

/** @throws tool-failed with the server's last words when it ends or is not ready in time */
export async function startServer(options: ServerOptions): Promise<StartedServer> {
  // A socket's path may have 107 bytes, so it cannot be below an arbitrary folder.
  const socketFolder = await mkdtemp(join(tmpdir(), "hf-pg-"));
  const hba = join(socketFolder, "hba.conf");
  await writeFile(hba, "local all all trust\n", { mode: 0o644 });
  await chmod(socketFolder, 0o777);
  const settings = {
    unix_socket_directories: socketFolder,
    unix_socket_permissions: "0777",
    hba_file: hba,
    ...options.settings,
  };
  const argv: [string, ...string[]] = [options.program, "-D", options.dataDirectory];
  for (const [name, value] of Object.entries(settings)) argv.push("-c", `${name}=${value}`);
  const log: string[] = [];
  const resident = options.exec.resident(
    { argv, cwd: "/", ...(serverUser === undefined ? {} : { user: serverUser }) },
    (line) => {
      log.push(line);
      if (log.length > 2000) log.shift();
    },
  );
  const connection: Connection = {
    host: socketFolder,
    port: Number(options.settings["port"] ?? 5432),
    user: options.user,
    database: options.database,
    sslMode: "disable",
  };
  const stop = async (how: "fast" | "immediate"): Promise<void> => {
    await resident.stop(how === "fast" ? "SIGINT" : "SIGQUIT");
    await rm(socketFolder, { recursive: true, force: true });
  };
  try {
    await untilReady(options, resident, connection, log);
  } catch (error) {
    await stop("immediate");
    throw error;
  }
  return { connection, pid: resident.pid, log, stop };
}

async function untilReady(
  options: ServerOptions,
  resident: Resident,
  connection: Connection,
  log: readonly string[],
): Promise<void> {
  let isEnded = false;
  void resident.ended.then(() => {
    isEnded = true;
  });
  const giveUpAtMs = options.clock.nowMs() + options.deadlineMs;
  for (;;) {
    options.signal.throwIfAborted();
    if (isEnded) throw new HoldfastError("tool-failed", `the server has ended:\n  ${lastWords(log)}`);
    if (options.clock.nowMs() > giveUpAtMs) {
      throw new HoldfastError(
        "tool-failed",
        `the server was not ready after ${options.deadlineMs} ms:\n  ${lastWords(log)}`,
      );
    }
    if (await isReady(connection, options.until)) return;
    await options.clock.wait(100, options.signal);
  }
}

async function isReady(connection: Connection, until: ServerOptions["until"]): Promise<boolean> {
  try {
    return await withClient(connection, async (client) => {
      if (until === "accepting") return true;
      const { rows } = await client.query<{ recovering: boolean }>(
        "select pg_is_in_recovery() as recovering",
      );
      return rows[0]?.recovering === false;
    });
  } catch {
    return false;
  }
}

function lastWords(log: readonly string[]): string {
  return log.slice(-8).join("\n  ");
}
