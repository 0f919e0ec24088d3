/** ClickHouse's own engine behind its HTTP interface on a free port, with a folder of its own, gone after `stop`. */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canaryDatabase } from "../../src/engine/clickhouse/canary.ts";
import { ask, type Connection, run } from "../../src/engine/clickhouse/connection.ts";
import { serverSettings, userSettings } from "../../src/engine/clickhouse/server.ts";
import type { Policy } from "../../src/policy/model.ts";
import { freePort } from "./ports.ts";
import { killed, until } from "./waiting.ts";
import { policyFor } from "./world.ts";

export const passwordVariable = "HOLDFAST_TEST_CLICKHOUSE_PASSWORD";

/** A folder with `clickhouse` in it; undefined where it cannot be had. */
export function clickhouseTools(): string | undefined {
  const script = fileURLToPath(new URL("../../.ci/clickhouse.sh", import.meta.url));
  const front = fileURLToPath(new URL("./clickhouse-tools/clickhouse.ts", import.meta.url));
  try {
    const home = execFileSync("sh", [script], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
    const folder = mkdtempSync(join(tmpdir(), "holdfast-clickhouse-tools-"));
    chmodSync(folder, 0o755);
    const line = `#!/bin/sh\nexec "${process.execPath}" "${front}" "${home}" "$@"\n`;
    writeFileSync(join(folder, "clickhouse"), line, { mode: 0o755 });
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  } catch {
    return undefined;
  }
}

export interface TestClickhouse {
  readonly connection: Connection;
  readonly directory: string;
  run(statement: string): Promise<void>;
  ask(statement: string): Promise<readonly (readonly unknown[])[]>;
  stop(): Promise<void>;
}

/** @param tools folder of `clickhouse`. Backups may go to any folder below `backups`, the temporary one by default. */
export async function startClickhouse(
  tools: string,
  password: string,
  { httpPort, backups = tmpdir() }: { readonly httpPort?: number; readonly backups?: string } = {},
): Promise<TestClickhouse> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-clickhouse-"));
  mkdirSync(join(directory, "data"));
  const ports = { http: httpPort ?? (await freePort()), native: await freePort(), keeper: await freePort() };
  writeFileSync(join(directory, "config.xml"), serverSettings(directory, ports, `${backups}/`));
  writeFileSync(join(directory, "users.xml"), userSettings("default", password));
  const child = spawn(join(tools, "clickhouse"), ["server", `--config-file=${directory}/config.xml`], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const connection = { host: "127.0.0.1", port: ports.http, user: "default", password, isTls: false };
  await until(() =>
    run(connection, "SELECT 1").then(
      () => true,
      () => false,
    ),
  );
  return {
    connection,
    directory,
    run: (statement) => run(connection, statement),
    ask: async (statement) => (await ask(connection, statement)).rows,
    stop: async () => {
      process.removeListener("exit", last);
      await killed(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Every kind of value that has caused trouble, in tables with parts and without. */
export async function fillClickhouse(server: Pick<TestClickhouse, "run">, rows: number): Promise<void> {
  const statements = [
    "CREATE DATABASE shop",
    `CREATE TABLE shop.orders (id UInt64, at DateTime64(3, 'UTC'), name String, note Nullable(String), tags Array(String),
       price Decimal(18, 4), kind LowCardinality(String), place Tuple(Float64, Float64), extra Map(String, String), gone ALIAS id + 1)
       ENGINE = MergeTree PARTITION BY id % 3 ORDER BY id`,
    "CREATE TABLE shop.sums (day Date, total AggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY day",
    'CREATE TABLE shop."odd ""name.with dots" (id UInt8, value String) ENGINE = MergeTree ORDER BY id',
    "CREATE TABLE shop.small (id UInt8, value String) ENGINE = Log",
    "CREATE TABLE shop.empty (id UInt8) ENGINE = MergeTree ORDER BY id",
    "CREATE VIEW shop.dear AS SELECT id, price FROM shop.orders WHERE price > 100",
    ordersSql(0, rows),
    `INSERT INTO shop.sums SELECT toDate('2026-11-01') + number % 20, sumState(number) FROM numbers(${rows}) GROUP BY number % 20`,
    "INSERT INTO shop.\"odd \"\"name.with dots\" VALUES (1, 'a'), (2, 'ä\\n''')",
    "INSERT INTO shop.small VALUES (1, 'x'), (2, 'y')",
  ];
  for (const statement of statements) await server.run(statement);
}

export function ordersSql(from: number, count: number): string {
  return `INSERT INTO shop.orders SELECT number + ${from}, toDateTime64(1763596800 + number, 3, 'UTC'), concat('order ', toString(number)),
    if(number % 7 = 0, NULL, repeat(toString(number), number % 5)), arrayMap(i -> toString(i), range(number % 4)),
    toDecimal64(number / 8, 4), ['a', 'b', 'c'][number % 3 + 1], (number / 3, number / 7), map('k', toString(number)) FROM numbers(${count})`;
}

/** What it holds, canaries aside, read row by row and not through the engine's own hashes. */
export async function contentsOf(connection: Connection, suffix = ""): Promise<string> {
  const { rows } = await ask(
    connection,
    `SELECT database, name, engine FROM system.tables WHERE database = 'shop${suffix}' ORDER BY name`,
  );
  const found: unknown[] = [];
  for (const [database, name, engine] of rows) {
    if (database === canaryDatabase) continue;
    const columns = name === "sums" ? "day, finalizeAggregation(total)" : "*";
    const quoted = String(name).replaceAll('"', '\\"');
    const content = await ask(
      connection,
      `SELECT groupBitXor(sipHash64(toString(tuple(${columns})))), toString(sum(sipHash64(toString(tuple(${columns}))))), toString(count())
       FROM "${String(database)}"."${quoted}"`,
    );
    found.push([name, engine === "View" ? "View" : engine, content.rows[0]?.slice(1)]);
  }
  return JSON.stringify(found);
}

/** A policy for `server`; `changes` replace whole fields. */
export function clickhousePolicy(
  server: TestClickhouse,
  tools: string,
  changes: Partial<Policy> = {},
): Policy {
  const { log: _, ...base } = policyFor({ port: 0, binDirectory: "" });
  return {
    ...base,
    name: "clickhouse",
    component: "clickhouse",
    connection: {
      host: "127.0.0.1",
      port: server.connection.port,
      user: "default",
      passwordFrom: { env: passwordVariable },
    },
    objectives: { rpoMs: 26 * 3_600_000, rtoMs: 3_600_000, reachMs: 13 * 86_400_000, pitrWindowMs: 0 },
    capture: { method: "native", codec: "zstd", level: 1, options: { toolDirectory: tools } },
    store: { name: "primary", prefix: "clickhouse/" },
    retention: { name: "clickhouse", keep: { daily: 14 } },
    assertions: [{ sql: "select count() > 0 from shop.orders", database: "shop" }],
    canaryEveryMs: 0,
    ...changes,
  };
}
