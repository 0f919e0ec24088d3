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
  const bare = async (): Promise<number> => {
    const startedMs = performance.now();
    await server.run(`BACKUP DATABASE shop TO File('${bareFolder}')`);
    const seconds = (performance.now() - startedMs) / 1000;
    rmSync(bareFolder, { recursive: true });
    return seconds;
  };
  let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
  let sizeBytes = 0;
  const ours = async (): Promise<number> => {
    slotAtMs += 3_600_000;
    const startedMs = performance.now();
    ({ sizeBytes } = await backup(test.world, test.policy, { slotAtMs }));
    return (performance.now() - startedMs) / 1000;
  };
  const seconds: Record<"bare" | "holdfast", number[]> = { bare: [], holdfast: [] };
  // The first of each warms caches and counts for nothing.
  await bare();
  await ours();
  for (let round = 0; round < rounds; round += 1) {
    seconds.bare.push(await bare());
    seconds.holdfast.push(await ours());
  }
  const median = (values: readonly number[]): number =>
    Math.round(([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0) * 1000) / 1000;
  const [b, h] = [median(seconds.bare), median(seconds.holdfast)];
  console.log(
    JSON.stringify({
      what: "a full native BACKUP into a folder; holdfast also hashes every column and reads back what was stored",
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      rounds,
      bareSeconds: b,
      holdfastSeconds: h,
      ofBare: Math.round((h / b) * 1000) / 1000,
    }),
  );
} finally {
  await test.close();
  await server.stop();
}
