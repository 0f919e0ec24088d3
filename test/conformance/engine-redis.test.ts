/** Redis's engine under the suite, on real servers of two versions. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { settingsOf, withClient } from "../../src/engine/redis/connection.ts";
import { freePort } from "../servers/ports.ts";
import { contentsOf, fillRedis, redisPolicy, redisPrograms, startRedis } from "../servers/redis.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct-horse-battery-$taple'\"";
const secretName = "HOLDFAST_TEST_REDIS_PASSWORD";

for (const { major, isLogged } of [
  { major: 7, isLogged: false },
  { major: 8, isLogged: true },
] as const) {
  const name = `Redis ${major}${isLogged ? " with its append-only file" : ""}`;
  const programs = redisPrograms(major);
  if (programs === undefined) {
    describe(`engine ${name}`, () => it.skip("the server cannot be had here", () => {}));
    continue;
  }
  const open = async (): Promise<EngineFixture> => {
    const redis = await startRedis({ programs, password, settings: { appendonly: isLogged ? "yes" : "no" } });
    process.env[secretName] = password;
    await redis.ask((client) => fillRedis(client, 300));
    const folders: string[] = [];
    const connection = { host: "127.0.0.1", port: redis.port, passwordFrom: { env: secretName } };
    const options = {
      toolDirectory: programs,
      ...(isLogged ? { appendOnlyDirectory: join(redis.directory, "appendonlydir") } : {}),
    };
    const capture = { method: isLogged ? "rdb-aof" : "rdb", codec: "zstd", level: 1, options } as const;
    let written = 0;
    return {
      policy: redisPolicy(redis, { connection, capture }),
      secrets: [password],
      write: async () => {
        written += 1;
        await redis.ask(async (client) => {
          await client.command("SET", "written", String(written));
          await client.command("HSET", "hash:1", "a", `changed ${written}`);
          await client.command("DEL", `list:${written}`);
        });
      },
      fingerprint: () => redis.ask(contentsOf),
      fingerprintOf: (server) => withClient(settingsOf(server.connection), contentsOf),
      withTool: async (script) => {
        const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
        chmodSync(folder, 0o755);
        folders.push(folder);
        for (const tool of ["redis-server", "redis-check-rdb", "redis-check-aof"])
          symlinkSync(join(programs, tool), join(folder, tool));
        const version = `case "$*" in *--version*) exec "$REAL" "$@";; esac`;
        writeFileSync(
          join(folder, "redis-cli"),
          `#!/bin/bash\nset -o pipefail\nREAL=${join(programs, "redis-cli")}\n${version}\n${script}\n`,
          { mode: 0o755 },
        );
        return { capture: { ...capture, options: { ...options, toolDirectory: folder } } };
      },
      unreachable: { connection: { ...connection, port: await freePort() } },
      byHand: {
        environment: { REDIS_SERVER: join(programs, "redis-server") },
        fingerprint: (_directory, port) => withClient(settingsOf({ port }), contentsOf),
        stop: async (directory) => {
          process.kill(Number(readFileSync(join(directory, "server.pid"), "utf8")), "SIGKILL");
        },
      },
      close: async () => {
        delete process.env[secretName];
        for (const folder of folders) rmSync(folder, { recursive: true, force: true });
        await redis.stop();
      },
    };
  };
  engineConformance(name, open);
  if (isLogged) engineDamage("Redis", open);
  if (isLogged) engineKills("Redis", open);
}
