/**
 * One snapshot of a Redis with a few hundred megabytes, twice in turn: the raw tool through the same codec and a
 * cipher into a synced file, and `holdfast`'s own data path into a folder store, the capture alone. Medians.
 * Usage: node bench/redis-capture.ts [megabytes] [rounds]
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup } from "../src/operate/backup.ts";
import { redisPolicy, startRedis } from "../test/servers/redis.ts";
import { openWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const megabytes = Number(process.argv[2] ?? 600);
const rounds = Number(process.argv[3] ?? 5);
const valueBytes = 1024;

const redis = await startRedis();
const test = await openWorld(redisPolicy(redis));
try {
  // Half of each value is noise, so that the codec has its work.
  const script = `
    math.randomseed(tonumber(ARGV[2]))
    for i = 1, tonumber(ARGV[1]) do
      local noise = {}
      for j = 1, ${valueBytes / 16} do noise[j] = string.format('%08x', math.random(0, 2147483647)) end
      redis.call('SET', 'key:' .. ARGV[2] .. ':' .. i, table.concat(noise) .. string.rep('x', ${valueBytes / 2}))
    end`;
  const perCall = 10_000;
  const calls = Math.ceil((megabytes * 1e6) / valueBytes / perCall);
  for (let call = 1; call <= calls; call += 1)
    await redis.ask((client) => client.command("EVAL", script, "0", String(perCall), String(call)));

  const bareFile = join(test.folder, "bare");
  const bare = async (): Promise<void> => {
    const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
    const pipe = `redis-cli -p ${redis.port} --rdb - 2>/dev/null | zstd -q --single-thread -1 -c | ${cipher} | dd of=${bareFile} bs=1M conv=fsync status=none`;
    const { status } = spawnSync("bash", ["-o", "pipefail", "-c", pipe]);
    if (status !== 0) throw new Error(`the bare pipe ended with ${status}`);
    rmSync(bareFile);
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
      what: "a snapshot through replication, zstd 1, encrypted, into a folder",
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      ...figures,
    }),
  );
} finally {
  await test.close();
  await redis.stop();
}
