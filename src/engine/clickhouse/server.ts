/** A server of its own on the loopback address, in one folder with settings, users and data. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";
import type { EngineContext } from "../engine.ts";
import { freePorts } from "../free-ports.ts";
import { type Connection, run } from "./connection.ts";
import { serverProgram } from "./programs.ts";

const readyMs = 5 * 60_000;
const keptLines = 100;
export const settingsFile = "config.xml";
const usersFile = "users.xml";
export const passwordFile = "password";

export interface OwnServer {
  readonly connection: Connection;
  /** Of the native protocol. */
  readonly nativePort: number;
  stop(): Promise<void>;
}

export interface ServerPorts {
  readonly http: number;
  readonly native: number;
  readonly keeper: number;
}

/** A person's restored server reads backups from no folder; `allowedPath` is the one RESTORE may read. */
export function serverSettings(folder: string, ports: ServerPorts, allowedPath: string | undefined): string {
  const tag = (name: string, value: string | number) => `  <${name}>${escaped(String(value))}</${name}>\n`;
  return `<clickhouse>
${tag("path", join(folder, "data/"))}${tag("tmp_path", join(folder, "data/tmp/"))}${tag("user_files_path", join(folder, "data/user_files/"))}${tag("format_schema_path", join(folder, "data/format_schemas/"))}${tag("listen_host", "127.0.0.1")}${tag("http_port", ports.http)}${tag("tcp_port", ports.native)}  <logger><level>warning</level><console>1</console></logger>
  <user_directories><users_xml><path>${escaped(join(folder, usersFile))}</path></users_xml></user_directories>
  <mark_cache_size>268435456</mark_cache_size>
  <backups><allowed_path>${escaped(allowedPath ?? join(folder, "backups/"))}</allowed_path></backups>
  <!-- Replicated tables need a Keeper and names of their own; nobody else speaks to these. -->
  <keeper_server>
    <tcp_port>${ports.keeper}</tcp_port>
    <server_id>1</server_id>
    <log_storage_path>${escaped(join(folder, "data/keeper/log"))}</log_storage_path>
    <snapshot_storage_path>${escaped(join(folder, "data/keeper/snapshots"))}</snapshot_storage_path>
    <raft_configuration><server><id>1</id><hostname>127.0.0.1</hostname><port>${ports.keeper + 1}</port></server></raft_configuration>
  </keeper_server>
  <zookeeper><node><host>127.0.0.1</host><port>${ports.keeper}</port></node></zookeeper>
  <macros><shard>1</shard><replica>restored</replica></macros>
</clickhouse>
`;
}

/** The hash stands in the file, the password beside it for its owner alone. */
export function userSettings(user: string, password: string): string {
  const hash = createHash("sha256").update(password).digest("hex");
  return `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><${user}>
    <password_sha256_hex>${hash}</password_sha256_hex>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <access_management>1</access_management>
  </${user}></users>
</clickhouse>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Starts the server of `folder`, with ports that are free now; it answers when this returns. @throws tool-missing, tool-failed */
export async function startOwnServer(
  context: EngineContext,
  folder: string,
  allowedPath?: string,
): Promise<OwnServer> {
  const program = await serverProgram(context);
  const [http = 0, native = 0, keeper = 0] = await freePorts(3);
  const ports: ServerPorts = { http, native, keeper };
  await mkdir(join(folder, "data"), { recursive: true, mode: 0o700 });
  const password = await readFile(join(folder, passwordFile), "utf8").catch(async () => {
    const fresh = randomBytes(24).toString("base64url");
    await writeFile(join(folder, passwordFile), fresh, { mode: 0o600 });
    return fresh;
  });
  rememberSecret(password);
  await writeFile(join(folder, settingsFile), serverSettings(folder, ports, allowedPath), { mode: 0o600 });
  await writeFile(join(folder, usersFile), userSettings("default", password), { mode: 0o600 });
  const lines: string[] = [];
  const resident = context.exec.resident(
    { argv: [program, "server", `--config-file=${join(folder, settingsFile)}`], cwd: folder },
    (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
  );
  let isEnded = false;
  void resident.ended.then(() => {
    isEnded = true;
  });
  const connection = { host: "127.0.0.1", port: ports.http, user: "default", password, isTls: false };
  const giveUpAtMs = context.clock.nowMs() + readyMs;
  try {
    for (;;) {
      context.signal.throwIfAborted();
      const isThere = await run(connection, "SELECT 1", { signal: context.signal, timeoutMs: 5_000 }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof HoldfastError && error.code === "source-unreachable") return false;
          throw error;
        },
      );
      if (isThere) return { connection, nativePort: ports.native, stop: () => resident.stop() };
      if (isEnded || context.clock.nowMs() > giveUpAtMs) {
        const what = isEnded ? "has ended" : `does not answer after ${readyMs / 1000} s`;
        throw new HoldfastError(
          "tool-failed",
          `the throwaway clickhouse server ${what}:\n  ${lines.slice(-8).join("\n  ")}`,
        );
      }
      await context.clock.wait(100, context.signal);
    }
  } catch (error) {
    await resident.stop();
    throw error;
  }
}
