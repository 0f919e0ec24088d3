/**
 * One dump of a database with some hundred megabytes, twice in turn: the raw tool through the same codec and a cipher
 * into a synced file, and `holdfast`'s capture into a folder store; and before it the same of ten documents, which is
 * what a capture costs however little there is. On FerretDB; where mongodump is not on PATH the tests' stand-in dumps
 * for both, and the result says so: what is compared is the way of the bytes behind it. FerretDB reads its whole oplog
 * where a server of MongoDB's own looks at one end, so the oplog begins when the data are in.
 * Usage: node bench/mongodb-capture.ts [megabytes] [rounds]
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup } from "../src/operate/backup.ts";
import { mongoPolicy, realMongodump, startMongo } from "../test/servers/ferretdb.ts";
import { openWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const megabytes = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 5);
const valueBytes = 8192;

const mongo = await startMongo();
const usual = mongoPolicy(mongo);
const test = await openWorld({ ...usual, capture: { ...usual.capture, codec: "zstd", level: 1 } });
const rows = mongo.client.db("shop").collection<{ _id: number; noise: string; same: string }>("rows");

// Half of each value is noise, so that the codec has its work.
async function fill(from: number, to: number): Promise<void> {
  const perCall = 500;
  for (let at = from; at < to; at += perCall)
    await rows.insertMany(
      Array.from({ length: Math.min(perCall, to - at) }, (_, i) => ({
        _id: at + i,
        noise: randomBytes(valueBytes / 4).toString("hex"),
        same: "x".repeat(valueBytes / 2),
      })),
    );
}

async function beginOplog(): Promise<void> {
  const local = mongo.client.db("local");
  await local.createCollection("oplog.rs", { capped: true, size: 256 * 1024 * 1024 });
  const clock = mongo.client.db("shop").collection("clock");
  await clock.insertOne({ at: new Date() });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await clock.insertOne({ at: new Date() });
}

const bareFile = join(test.folder, "bare");
const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
const tool = `"${join(mongo.toolDirectory, "mongodump")}" --uri="${mongo.uri}" --archive --oplog 2>/dev/null`;
const pipe = `${tool} | zstd -q --single-thread -1 -c | ${cipher} | dd of=${bareFile} bs=1M conv=fsync status=none`;
async function bare(): Promise<() => void> {
  const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", pipe], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the bare pipe ended with ${status}: ${stderr}`);
  return () => rmSync(bareFile);
}

let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
let sizeBytes = 0;
async function ours(): Promise<void> {
  slotAtMs += 3_600_000;
  ({ sizeBytes } = await backup(test.world, test.policy, { slotAtMs }));
}

try {
  await fill(0, 10);
  await mongo.client.db("local").collection("oplog.rs").drop();
  await beginOplog();
  const tenDocuments = await inTurn(bare, ours, rounds);
  await mongo.client.db("local").collection("oplog.rs").drop();
  await fill(10, Math.ceil((megabytes * 1e6) / valueBytes));
  await beginOplog();
  const figures = await inTurn(bare, ours, rounds);
  const who = realMongodump === undefined ? "the tests' stand-in for mongodump" : "mongodump";
  console.log(
    JSON.stringify({
      what: `a dump by ${who}, zstd 1, encrypted, into a folder`,
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      ...figures,
      tenDocuments,
    }),
  );
} finally {
  await test.close();
  await mongo.remove();
}
