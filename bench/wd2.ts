/**
 * Draining whole WAL segments into a folder, as the receiver does after an outage: compress, seal, store once, in
 * three lanes; beside a bare pipe of the same work with the same programs (compress, encrypt,
 * hash the raw file, write, sync), three at a time. Rounds alternate; medians. Usage: node bench/wal-drain.ts [segments] [rounds]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newIdentity } from "../src/crypto/identity.ts";
import { openExec } from "../src/exec/system.ts";
import { silent } from "../src/log.ts";
import type { Policy, StoreSettings } from "../src/policy/model.ts";
import { openRepository } from "../src/repository/open.ts";
import { openDirectoryStore } from "../src/store/directory.ts";
import { systemClock } from "../src/time/clock.ts";
import { writeMix } from "./mix.ts";

const segmentsCount = Number(process.argv[2] ?? 40);
const rounds = Number(process.argv[3] ?? 7);
/** As many as the log's own lanes. */
const parallel = 3;
const folder = mkdtempSync(join(tmpdir(), "holdfast-wal-drain-"));
const spool = join(folder, "spool");
mkdirSync(spool);
const names = Array.from(
  { length: segmentsCount },
  (_, i) => `0000000100000000${i.toString(16).toUpperCase().padStart(8, "0")}`,
);
for (const [i, name] of names.entries()) writeMix(join(spool, name), 16 * 1024 * 1024, i + 1);

const { recipient } = await newIdentity();

async function ours(round: number): Promise<number> {
  const path = join(folder, `store-${round}`);
  mkdirSync(path);
  const settings = { name: "disk", type: "directory", path } as StoreSettings;
  const store = openDirectoryStore(settings);
  const repository = await openRepository({
    policy: {
      name: "bench",
      capture: { method: "base-backup", codec: "zstd", level: 1, options: {} },
      store: { name: "disk", prefix: "bench/" },
      log: { store: { name: "disk", prefix: "wal/" } },
      deadlineMs: 0,
    } as unknown as Policy,
    cluster: "bench",
    settings,
    stores: { read: store, write: store, delete: store },
    recipients: [recipient],
    identities: async () => [],
    exec: openExec(),
    clock: systemClock,
    log: silent,
  });
  const startedMs = performance.now();
  await repository.log.putAll(
    names.map((name) => ({ branch: "00000001", name, path: join(spool, name) })),
    join(folder, "compressed"),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  rmSync(path, { recursive: true, force: true });
  return seconds;
}

function bare(round: number): number {
  const path = join(folder, `bare-${round}`);
  mkdirSync(path);
  const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
  const one = `openssl dgst -sha256 ${spool}/{} >/dev/null && zstd -q --single-thread -1 -c ${spool}/{} | ${cipher} | dd of=${path}/{} bs=1M conv=fsync status=none`;
  const startedMs = performance.now();
  const { status } = spawnSync("xargs", ["-P", String(parallel), "-I", "{}", "sh", "-c", one], {
    input: names.join("\n"),
  });
  if (status !== 0) throw new Error(`the bare pipe ended with ${status}`);
  const seconds = (performance.now() - startedMs) / 1000;
  rmSync(path, { recursive: true, force: true });
  return seconds;
}

import { readFileSync } from "node:fs";
function kids(){ const s=readFileSync("/proc/self/stat","utf8"); const f=s.slice(s.lastIndexOf(")")+2).split(" "); return (Number(f[13])+Number(f[14]))/100; }
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

try {
  const seconds: Record<"bare" | "holdfast", number[]> = { bare: [], holdfast: [] };
  for (let round = 0; round < rounds; round += 1) {
    { const k=kids(), c=process.cpuUsage(); void bare; const d=process.cpuUsage(c); console.error("bare kids",((kids()-k)/segmentsCount*1000).toFixed(0),"self",((d.user+d.system)/1e3/segmentsCount).toFixed(0)); }
    { const k=kids(), c=process.cpuUsage(); seconds.holdfast.push(await ours(round)); const d=process.cpuUsage(c); console.error("ours kids",((kids()-k)/segmentsCount*1000).toFixed(0),"self",((d.user+d.system)/1e3/segmentsCount).toFixed(0), "s", seconds.holdfast.at(-1)); }
  }
  const perSecond = (s: readonly number[]): number => Math.round((segmentsCount / median(s)) * 10) / 10;
  const [b, h] = [perSecond(seconds.bare), perSecond(seconds.holdfast)];
  console.log(
    JSON.stringify({
      what: "whole WAL segments of 16 MiB into a folder, three at a time, zstd 1, encrypted, synced",
      segments: segmentsCount,
      rounds,
      bareSegmentsPerSecond: b,
      holdfastSegmentsPerSecond: h,
      ofBare: Math.round((h / b) * 100) / 100,
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
