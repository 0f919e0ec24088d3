/** ClickHouse's engine under the suite, on ClickHouse's own BACKUP and RESTORE. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { readSecret } from "../../src/cli/secrets.ts";
import { connectionFrom } from "../../src/engine/clickhouse/connection.ts";
import {
  clickhousePolicy,
  clickhouseTools,
  contentsOf,
  fillClickhouse,
  ordersSql,
  passwordVariable,
  startClickhouse,
} from "../servers/clickhouse.ts";
import { whereIs } from "../servers/on-path.ts";
import { freePort } from "../servers/ports.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct-horse-battery-$taple'\"<&>";
const tools = clickhouseTools();

async function open(folder: string, method: "native" | "clickhouse-backup"): Promise<EngineFixture> {
  process.env[passwordVariable] = password;
  const server = await startClickhouse(folder, password);
  await fillClickhouse(server, 3000);
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-curl-"));
  const login = join(scratch, "login");
  writeFileSync(login, `user = "default:${password.replace(/["\\]/g, "\\$&")}"\n`, { mode: 0o600 });
  const policy = clickhousePolicy(server, folder);
  let written = 0;
  return {
    policy: { ...policy, capture: { ...policy.capture, method } },
    secrets: [password],
    isEncrypted: false,
    write: async () => {
      written += 1;
      await server.run(ordersSql(100_000 * written, 50));
      await server.run(`INSERT INTO shop.small VALUES (${written % 200}, 'written ${written}')`);
      await server.run(`ALTER TABLE shop.orders DELETE WHERE id = ${written} SETTINGS mutations_sync = 1`);
    },
    fingerprint: () => contentsOf(server.connection),
    fingerprintOf: async ({ connection }) =>
      contentsOf(await connectionFrom({ secret: readSecret }, connection)),
    unreachable: { connection: { ...policy.connection, port: await freePort() } },
    byHand: {
      environment: {
        CLICKHOUSE_URL: `http://127.0.0.1:${server.connection.port}`,
        CURL_CONFIG: login,
      },
      fingerprint: async () => contentsOf(server.connection, "_restored"),
      stop: () => server.run("DROP DATABASE IF EXISTS shop_restored SYNC"),
    },
    close: async () => {
      delete process.env[passwordVariable];
      rmSync(scratch, { recursive: true, force: true });
      await server.stop();
    },
  };
}

if (tools === undefined) {
  describe("engine ClickHouse", () => it.skip("the server cannot be had here", () => {}));
} else {
  engineConformance("ClickHouse", () => open(tools, "native"), false);
  engineDamage("ClickHouse", () => open(tools, "native"));
  engineKills("ClickHouse", () => open(tools, "native"));
}

const ownServer = whereIs("clickhouse") !== undefined && whereIs("clickhouse-backup") !== undefined;
if (!ownServer) {
  describe("engine ClickHouse with clickhouse-backup", () =>
    it.skip("its programs are not on PATH", () => {}));
} else {
  const folder = execFileSync("sh", ["-c", 'dirname "$(command -v clickhouse)"'], {
    encoding: "utf8",
  }).trim();
  engineConformance("ClickHouse with clickhouse-backup", () => open(folder, "clickhouse-backup"), false);
}
