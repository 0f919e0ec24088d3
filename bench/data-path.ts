/**
 * The data path beside the bare pipe of the same work: read, compress with igzip, encrypt, hash, throw away.
 * Rounds alternate; medians. Usage: node bench/data-path.ts [MiB] [rounds] [gzip|zstd|none]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMix } from "./mix.ts";

const sizeMib = Number(process.argv[2] ?? 1024);
const rounds = Number(process.argv[3] ?? 7);
const codec = process.argv[4] ?? "gzip";
const folder = mkdtempSync(join(tmpdir(), "holdfast-data-path-"));
const file = join(folder, "mix");

const compress = { gzip: "igzip -1 -c", zstd: "zstd --single-thread -1 -c -q", none: "cat" }[codec];
const cipher = `openssl enc -aes-256-ctr -K ${"1".repeat(64)} -iv ${"2".repeat(32)}`;
const bare = `cat ${file} | ${compress} | ${cipher} | sha256sum`;

interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly nodeCpuSeconds: number;
}

function childrenCpuSeconds(): number {
  const stat = execFileSync("cat", [`/proc/${process.pid}/stat`], { encoding: "utf8" });
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function timed(argv: readonly string[]): Sample {
  const before = childrenCpuSeconds();
  const startedMs = performance.now();
  const ran = spawnSync(argv[0] ?? "", argv.slice(1), { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr}`);
  const seconds = (performance.now() - startedMs) / 1000;
  const said = ran.stdout.startsWith("{") ? JSON.parse(ran.stdout) : {};
  return {
    // Our own start is no part of the pipe; the program says how long its work took.
    seconds: said.seconds ?? seconds,
    cpuSeconds: childrenCpuSeconds() - before,
    nodeCpuSeconds: said.nodeCpuSeconds ?? 0,
  };
}

function median(samples: readonly Sample[], field: keyof Sample): number {
  const sorted = samples.map((s) => s[field]).sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? 0) * 1000) / 1000;
}

try {
  writeMix(file, sizeMib * 1024 * 1024);
  const store = join(import.meta.dirname, "store-once.ts");
  const ours = (kind: string) => [process.execPath, store, kind, file, codec, join(folder, "store")];
  const samples: Record<"bare" | "discard" | "folder", Sample[]> = { bare: [], discard: [], folder: [] };
  for (let round = 0; round < rounds; round += 1) {
    samples.bare.push(timed(["sh", "-c", bare]));
    samples.discard.push(timed(ours("discard")));
    samples.folder.push(timed(ours("folder")));
    rmSync(join(folder, "store"), { recursive: true, force: true });
  }
  const bareSeconds = median(samples.bare, "seconds");
  const oursSeconds = median(samples.discard, "seconds");
  const result = {
    sizeMib,
    codec,
    rounds,
    bareSeconds,
    oursSeconds,
    ratio: Math.round((oursSeconds / bareSeconds) * 1000) / 1000,
    folderSeconds: median(samples.folder, "seconds"),
    cpu: {
      bareSeconds: median(samples.bare, "cpuSeconds"),
      oursSeconds: median(samples.discard, "cpuSeconds"),
      nodeSecondsPerRawGib:
        Math.round((median(samples.discard, "nodeCpuSeconds") / sizeMib) * 1024 * 1000) / 1000,
    },
  };
  console.log(JSON.stringify(result));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
