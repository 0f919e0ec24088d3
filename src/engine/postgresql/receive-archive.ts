/**
 * Archive mode: the server's archive_command runs a thin client, the client asks the resident over a local
 * socket, and the answer comes only after the store has the segment.
 * @see PostgreSQL manual, "Setting Up WAL Archiving": a file that was archived before with the same content
 *   must succeed, with other content must fail
 */
import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { basename, isAbsolute, join } from "node:path";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext, LogProgress } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { serverOwner } from "./folders.ts";

const nameShape = /^([0-9A-F]{8})(\.history|[0-9A-F]{16}(?:\.partial|\.[0-9A-F]{8}\.backup)?)$/;
const requestLimitBytes = 8192;

/** Path of the socket in a receiver's own folder. */
export function archiveSocket(workDirectory: string): string {
  return join(workDirectory, "archive.sock");
}

/** Serves until the signal aborts. */
export async function receiveArchive(
  context: EngineContext,
  log: LogStore,
  onFlow: (flow: LogProgress) => void,
): Promise<void> {
  const path = archiveSocket(context.workDirectory);
  await mkdir(context.workDirectory, { recursive: true });
  await rm(path, { force: true });
  const server = createServer((socket) => {
    void answer(context, log, onFlow, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await openToServer(context, path);
  await chmod(context.workDirectory, 0o711);
  context.step(`archive_command = 'node ${join(import.meta.dirname, "archive-client.ts")} ${path} %p'`);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    else context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await rm(path, { force: true });
}

/**
 * Whoever may write to the socket could have a file of the wrong content stored under a segment's name before
 * the server offers the right one, so it is the server's alone where we may give it away.
 */
async function openToServer(context: EngineContext, path: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    context.log.warn("every user of this machine can offer segments: run as root, or as the server's user");
    return chmod(path, 0o666);
  }
  const dataDirectory = await withClient(await connectionOf(context), async (client) => {
    const { rows } = await client.query<{ path: string }>(
      "select setting as path from pg_settings where name = 'data_directory'",
    );
    return rows[0]?.path;
  }).catch(() => undefined);
  const { uid, gid } = await serverOwner(context, dataDirectory);
  await chmod(path, 0o600);
  await chown(path, uid, gid);
}

async function answer(
  context: EngineContext,
  log: LogStore,
  onFlow: (flow: LogProgress) => void,
  socket: Socket,
): Promise<void> {
  socket.on("error", () => undefined);
  try {
    const path = await readRequest(socket);
    await store(log, path);
    onFlow({
      stored: basename(path),
      storedAt: instant(context.clock.nowMs()),
      partial: path.endsWith(".partial"),
    });
    socket.end("ok\n");
  } catch (error) {
    const message = error instanceof HoldfastError ? `${error.code}: ${error.message}` : String(error);
    context.log.warn("a segment was not archived; the server will offer it again", { cause: message });
    socket.end(`error ${message.replaceAll("\n", " ")}\n`);
  }
}

async function readRequest(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.length > requestLimitBytes) throw new HoldfastError("usage", "the request is too long");
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new HoldfastError("usage", "the request was cut off");
}

async function store(log: LogStore, path: string): Promise<void> {
  const name = basename(path);
  const match = nameShape.exec(name);
  if (!isAbsolute(path) || match === null) {
    throw new HoldfastError("usage", `'${path}' is no WAL file`);
  }
  const branch = match[1] ?? "";
  if (match[2] === ".history") return log.putHistory(branch, path);
  if (name.endsWith(".partial"))
    return log.putPartial({ branch, name: name.slice(0, -".partial".length) }, path);
  return log.put({ branch, name }, path);
}
