/**
 * Peak memory of the whole tree (Node, producer, compressor) for artifacts of growing size, with a warm compile
 * cache as the second start of `holdfast` has it. Usage: node bench/memory.ts [GiB,GiB] [codec]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMix } from "./mix.ts";
import { treePeak } from "./tree-peak.ts";

const sizesGib = (process.argv[2] ?? "1,4").split(",").map(Number);
const codec = process.argv[3] ?? "gzip";
const chunkMib = 256;
const folder = mkdtempSync(join(tmpdir(), "holdfast-memory-"));

async function peakMb(kind: string, times: number): Promise<number> {
  const program = join(import.meta.dirname, "store-once.ts");
  const args = [program, kind, join(folder, "mix"), codec, join(folder, "store"), String(times)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") },
  });
  const peak = treePeak(child.pid ?? 0);
  const status = await new Promise((resolve) => child.once("close", resolve));
  const bytes = peak.stop();
  rmSync(join(folder, "store"), { recursive: true, force: true });
  if (status !== 0) throw new Error(`store-once ended with ${status}`);
  return Math.round(bytes / 1e6);
}

try {
  writeMix(join(folder, "mix"), chunkMib * 1024 * 1024);
  await peakMb("folder", 1);
  const peaks: object[] = [];
  for (const gib of sizesGib) {
    const times = Math.ceil((gib * 1024) / chunkMib);
    peaks.push({
      gib,
      discardMb: await peakMb("discard", times),
      folderMb: await peakMb("folder", times),
    });
  }
  console.log(JSON.stringify({ codec, peaks }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
