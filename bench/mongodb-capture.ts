/**
 * One dump of a database with some hundred megabytes, twice in turn: the raw tool through the same codec and a cipher
 * into a synced file, and `holdfast`'s capture into a folder store. On FerretDB; where mongodump is not on PATH the
 * tests' stand-in dumps for both, and the result says so: what is compared is the way of the bytes behind it.
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
const test = await openWorld(mongoPolicy(mongo));
try {
  const rows = mongo.client.db("shop").collection<{ _id: number; noise: string; same: string }>("rows");
  const perCall = 500;
  // Half of each value is noise, so that the codec has its work.
  for (let from = 0; from * valueBytes < megabytes * 1e6; from += perCall)
    await rows.insertMany(
      Array.from({ length: perCall }, (_, i) => ({
        _id: from + i,
        noise: randomBytes(valueBytes / 4).toString("hex"),
        same: "x".repeat(valueBytes / 2),
      })),
    );
  const bareFile = join(test.folder, "bare");
  const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
  const tool = `"${join(mongo.toolDirectory, "mongodump")}" --uri="${mongo.uri}" --archive --oplog 2>/dev/null`;
  const pipe = `${tool} | zstd -q --single-thread -1 -c | ${cipher} | dd of=${bareFile} bs=1M conv=fsync status=none`;
  const bare = async (): Promise<void> => {
    const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", pipe], { encoding: "utf8" });
    if (status !== 0) throw new Error(`the bare pipe ended with ${status}: ${stderr}`);
    rmSync(bareFile);
  };
  let slotAtMs = Date.parse("2026-01-01T00:00:00Z");
  let sizeBytes = 0;
  const ours = async (): Promise<void> => {
    slotAtMs += 3_600_000;
    ({ sizeBytes } = await backup(test.world, test.policy, { slotAtMs }));
  };
  const figures = await inTurn(bare, ours, rounds);
  const who = realMongodump === undefined ? "the tests' stand-in for mongodump" : "mongodump";
  console.log(
    JSON.stringify({
      what: `a dump by ${who}, zstd 1, encrypted, into a folder`,
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      ...figures,
    }),
  );
} finally {
  await test.close();
  await mongo.remove();
}
