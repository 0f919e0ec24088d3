/**
 * Full backups of a ClickHouse, twice in turn: its bare BACKUP, and `holdfast`'s capture, which has the server write the
 * same BACKUP, reads every stored byte back once for its SHA-256 and takes the assets. Into a folder, where both end
 * with every file synced (BACKUP itself syncs none), and into a bucket of SeaweedFS on the same cores. Neither
 * compresses or encrypts: parts are compressed already, and the server carries them by itself. Medians.
 * Usage: node bench/clickhouse-capture.ts [megabytes] [rounds]
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup } from "../src/operate/backup.ts";
import {
  clickhousePolicy,
  clickhouseTools,
  passwordVariable,
  startClickhouse,
} from "../test/servers/clickhouse.ts";
import { startS3Server } from "../test/servers/s3-server.ts";
import { s3Settings } from "../test/servers/settings.ts";
import { openWorld, type TestWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const megabytes = Number(process.argv[2] ?? 600);
const rounds = Number(process.argv[3] ?? 5);
const rowBytes = 500;

const tools = clickhouseTools();
if (tools === undefined) throw new Error("ClickHouse's engine cannot be had here");
process.env[passwordVariable] = "bench";
const server = await startClickhouse(tools, "bench");
const bucket = await startS3Server("seaweedfs");
process.env["HOLDFAST_BENCH_ID"] = bucket.accessKeyId;
process.env["HOLDFAST_BENCH_SECRET"] = bucket.secretAccessKey;
const key = { accessKeyId: { env: "HOLDFAST_BENCH_ID" }, secretAccessKey: { env: "HOLDFAST_BENCH_SECRET" } };
const policy = { ...clickhousePolicy(server, tools), assertions: [] };
const folderWorld = await openWorld(policy);
const bucketWorld = await openWorld(policy, {
  store: {
    ...s3Settings(bucket.endpoint, bucket.bucket, "primary"),
    credentials: { write: key, read: key, delete: key },
  },
});

let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
let storedBytes = 0;
const ours = (test: TestWorld) => async (): Promise<void> => {
  slotAtMs += 3_600_000;
  ({ sizeBytes: storedBytes } = await backup(test.world, test.policy, { slotAtMs }));
};

const bareFolder = join(folderWorld.folder, "bare");
async function bareToFolder(): Promise<() => void> {
  await server.run(`BACKUP DATABASE shop TO File('${bareFolder}')`);
  execFileSync("find", [bareFolder, "-exec", "sync", "{}", "+"]);
  return () => rmSync(bareFolder, { recursive: true });
}

let turns = 0;
async function bareToBucket(): Promise<void> {
  turns += 1;
  const url = `${bucket.endpoint}/${bucket.bucket}/bare/${turns}/`;
  await server.run(
    `BACKUP DATABASE shop TO S3('${url}', '${bucket.accessKeyId}', '${bucket.secretAccessKey}')`,
  );
}

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
  // Merges that go on would be measured with the one or the other.
  await server.run("OPTIMIZE TABLE shop.events FINAL");
  const folder = await inTurn(bareToFolder, ours(folderWorld), rounds);
  const intoBucket = await inTurn(bareToBucket, ours(bucketWorld), rounds);
  console.log(
    JSON.stringify({
      what: "a full native BACKUP; holdfast also reads back and hashes what was stored, and takes the assets. Into a folder, synced by both, and into a bucket",
      megabytes,
      storedMb: Math.round(storedBytes / 1e6),
      folder,
      bucket: intoBucket,
    }),
  );
} finally {
  await folderWorld.close();
  await bucketWorld.close();
  await bucket.stop();
  await server.stop();
}
