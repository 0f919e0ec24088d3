/** Redis in the demo: a server of its own, a few thousand keys, gone with its disk. */
import type { ChildProcess } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { settingsOf, withClient } from "../../engine/redis/connection.ts";
import { installHint } from "../../exec/packages.ts";
import { type DemoComponent, type DemoServer, loseServer } from "./component.ts";
import type { ChoosePort } from "./source-server.ts";
import { ended, startProgram, until } from "./stage.ts";

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

async function start(folder: string, signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer> {
  await mkdir(folder);
  const port = await choosePort(6379);
  let child = run(folder, port);
  const connection = settingsOf({ port });
  const count = (on = connection): Promise<number> =>
    withClient(on, async (client) => Number(await client.command("DBSIZE")));
  const ready = () => until("Redis answers", () => count().catch(() => undefined), signal);
  await ready();
  await withClient(connection, async (client) => {
    const script = `for i = 1, ${keysCount} do redis.call('SET', 'cart:' .. i, 'items ' .. i) end`;
    await client.command("EVAL", script, "0");
  });
  const version = await withClient(
    connection,
    async (client) => /redis_version:(\S+)/.exec(String(await client.command("INFO", "server")))?.[1],
  );
  const described = { title: `Redis ${version ?? ""}`.trim(), unit: "keys", count: () => count() };
  return {
    ...described,
    policy: policyText(port),
    show: (stage, name) =>
      loseServer(stage, name, {
        ...described,
        countIn: (server) => count(settingsOf(server.connection)),
        destroy: async () => {
          await ended(child);
          await rm(folder, { recursive: true, force: true });
        },
        replace: async (directory) => {
          child = run(directory, port);
          await ready();
        },
      }),
    stop: () => ended(child),
  };
}

function run(folder: string, port: number): ChildProcess {
  return startProgram("redis-server", [
    ...["--dir", folder, "--bind", "127.0.0.1", "--port", String(port)],
    ...["--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--save", ""],
  ]);
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
