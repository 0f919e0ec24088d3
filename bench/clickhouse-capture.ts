/**
 * One full backup of a ClickHouse with a few hundred megabytes, twice in turn: the bare BACKUP into a folder, and
 * `holdfast`'s capture into a folder store, which hashes every column before and reads back what was stored. Medians.
 * Usage: node bench/clickhouse-capture.ts [megabytes] [rounds]
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup } from "../src/operate/backup.ts";
import {
  clickhousePolicy,
  clickhouseTools,
  passwordVariable,
  startClickhouse,
} from "../test/servers/clickhouse.ts";
import { openWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const megabytes = Number(process.argv[2] ?? 600);
const rounds = Number(process.argv[3] ?? 5);
const rowBytes = 500;

const tools = clickhouseTools();
if (tools === undefined) throw new Error("ClickHouse's engine cannot be had here");
process.env[passwordVariable] = "bench";
const server = await startClickhouse(tools, "bench");
const test = await openWorld({ ...clickhousePolicy(server, tools), assertions: [] });
try {
  await server.run("CREATE DATABASE shop");
  await server.run(
    "CREATE TABLE shop.events (id UInt64, at DateTime, noise String, same String) ENGINE = MergeTree ORDER BY id",
  );
  const rows = Math.ceil((megabytes * 1e6) / rowBytes);
  // Half of each value is noise, so that the codec has its work.
  await server.run(
    `INSERT INTO shop.events SELECT number, now(), randomString(${rowBytes / 2}), repeat('x', ${rowBytes / 2}) FROM numbers(${rows})`,
  );
  const bareFolder = join(test.folder, "bare");
  const bare = async (): Promise<void> => {
    await server.run(`BACKUP DATABASE shop TO File('${bareFolder}')`);
    rmSync(bareFolder, { recursive: true });
  };
  let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
  let sizeBytes = 0;
  const ours = async (): Promise<void> => {
    slotAtMs += 3_600_000;
    ({ sizeBytes } = await backup(test.world, test.policy, { slotAtMs }));
  };
  const figures = await inTurn(bare, ours, rounds);
  console.log(
    JSON.stringify({
      what: "a full native BACKUP into a folder; holdfast also hashes every column and reads back what was stored",
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      ...figures,
    }),
  );
} finally {
  await test.close();
  await server.stop();
}
