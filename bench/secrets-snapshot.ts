/**
 * One raft snapshot of an OpenBao with some two hundred megabytes, twice in turn: the raw tool through the same codec
 * and a cipher into a synced file, and `holdfast`'s own data path into a folder store, the capture alone. Medians.
 * Usage: node bench/secrets-snapshot.ts [megabytes] [rounds]
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { backup } from "../src/operate/backup.ts";
import { baoProgram, mountKeyValue, secretsPolicy, startBao, tokenName } from "../test/servers/openbao.ts";
import { openWorld } from "../test/servers/world.ts";
import { inTurn } from "./in-turn.ts";

const megabytes = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 5);
const valueBytes = 256 * 1024;

const program = baoProgram();
if (program === undefined) throw new Error("there is no OpenBao");
const bao = await startBao(program);
process.env[tokenName] = bao.token;
const usual = secretsPolicy(bao);
const options = { toolDirectory: dirname(program) };
const test = await openWorld(
  secretsPolicy(bao, { capture: { ...usual.capture, method: "raft-snapshot", options } }),
);
try {
  await mountKeyValue(bao.api, "secret", 2);
  // The server keeps values encrypted, so that a codec finds nothing in them whatever they are.
  for (let i = 0; i * valueBytes < megabytes * 1e6; i += 1)
    await bao.api.write(`secret/data/${i}`, { data: { value: randomBytes(valueBytes / 2).toString("hex") } });

  const bareFile = join(test.folder, "bare");
  const bare = async (): Promise<void> => {
    const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
    const tool = `"${program}" operator raft snapshot save /dev/stdout | cat`;
    const pipe = `${tool} | zstd -q --single-thread -1 -c | ${cipher} | dd of=${bareFile} bs=1M conv=fsync status=none`;
    const { status } = spawnSync("bash", ["-o", "pipefail", "-c", pipe], {
      env: { PATH: process.env["PATH"] ?? "", BAO_ADDR: bao.address, BAO_TOKEN: bao.token },
    });
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
      what: "a raft snapshot of OpenBao, zstd 1, encrypted, into a folder",
      megabytes,
      storedMb: Math.round(sizeBytes / 1e6),
      ...figures,
    }),
  );
} finally {
  delete process.env[tokenName];
  await test.close();
  await bao.stop();
}
