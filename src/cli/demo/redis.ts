/** Redis in the demo: a server of its own, a few thousand keys, gone with its disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { settingsOf, withClient } from "../../engine/redis/connection.ts";
import { installHint } from "../../exec/packages.ts";
import type { DemoComponent, DemoServer } from "./component.ts";
import { freePort } from "./source-server.ts";
import { until } from "./stage.ts";

const keysCount = 5000;

export const redisInDemo: DemoComponent = {
  component: "redis",
  missing: async (exec) => {
    for (const name of ["redis-server", "redis-cli", "redis-check-rdb"])
      if ((await exec.find(name)) === undefined) return installHint(name);
    return undefined;
  },
  start,
};

async function start(folder: string, signal: AbortSignal): Promise<DemoServer> {
  await mkdir(folder);
  const port = await freePort();
  const child = spawn(
    "redis-server",
    [
      ...["--dir", folder, "--bind", "127.0.0.1", "--port", String(port)],
      ...["--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--save", ""],
    ],
    { stdio: "ignore" },
  );
  const connection = settingsOf({ port });
  const count = (on = connection): Promise<number> =>
    withClient(on, async (client) => Number(await client.command("DBSIZE")));
  await until("Redis answers", () => count().catch(() => undefined), signal);
  await withClient(connection, async (client) => {
    const script = `for i = 1, ${keysCount} do redis.call('SET', 'cart:' .. i, 'items ' .. i) end`;
    await client.command("EVAL", script, "0");
  });
  const version = await withClient(
    connection,
    async (client) => /redis_version:(\S+)/.exec(String(await client.command("INFO", "server")))?.[1],
  );
  return {
    title: `Redis ${version ?? ""}`.trim(),
    policy: policyText(port),
    unit: "keys",
    count: () => count(),
    countIn: (server) => count(settingsOf(server.connection)),
    destroy: async () => {
      await ended(child);
      await rm(folder, { recursive: true, force: true });
    },
    stop: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exit;
}

function policyText(port: number): string {
  return `# A snapshot each hour, the append-only file watched.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: redis}
spec:
  component: redis
  owner: demo
  failureDomain: this-machine
  connection: {host: 127.0.0.1, port: ${port}}
  objectives: {rpo: 75m, rto: 10m, reach: 6d}
  schedule: {cron: "7 * * * *", timeZone: Etc/UTC}
  capture:
    method: rdb-aof
    options: {appendOnly: true, appendFsync: everysec}
  store: {name: vault, prefix: redis/}
  encryption: {recipients: [runner, escrow]}
  retention: standard
  verification: standard
  assertions: [{sql: "DBSIZE > 0", database: "0"}]
`;
}
