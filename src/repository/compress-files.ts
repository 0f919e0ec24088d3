/**
 * Whole files on their way into the store's log: compressed and hashed by programs, many files by one program
 * where the program can, because starting one costs this process more than the compression of a small file.
 */
import { mkdir, open, readFile, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { HoldfastError } from "../errors.ts";
import type { Exec } from "../exec/exec.ts";
import type { Codec } from "../policy/model.ts";
import { compressor } from "./codec.ts";
import type { ReusedMemory } from "./reused-memory.ts";

const hashDeadlineMs = 120_000;

/**
 * Lower-case hex SHA-256 of each raw file, in the order of `paths`. A program reads them, because raw bytes stay
 * out of this process. OpenSSL uses the processor's own instructions, a third of the time of coreutils 9.1.
 */
export async function hashFiles(exec: Exec, paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const hasOpenssl = (await exec.find("openssl")) !== undefined;
  const program = hasOpenssl
    ? (["openssl", "dgst", "-sha256", "-r"] as const)
    : (["sha256sum", "-b"] as const);
  const { stdout } = await exec.run({ argv: [...program, ...paths] }, { deadlineMs: hashDeadlineMs });
  // A name with odd characters makes coreutils begin the line with a backslash.
  const hashes = stdout.split("\n").map((line) => line.replace(/^\\/, "").slice(0, 64));
  return paths.map((_, index) => hashes[index] ?? "");
}

/** The compressed bytes of one file. */
export async function compressFile(exec: Exec, codec: Codec, level: number, path: string): Promise<Buffer> {
  const command = await compressor(exec, codec, level);
  if (command === undefined) return readFile(path);
  const file = await open(path, "r");
  try {
    const pipe = exec.pipe([command], { input: file.fd });
    const parts: Buffer[] = [];
    for await (const chunk of pipe.output ?? []) parts.push(chunk as Buffer);
    await pipe.done;
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
}

/**
 * Compresses each file of `paths` (different base names) and hands its bytes to `use` one after the other, so
 * that only one is in memory; they stand in `memory` and are gone with the next one. `scratch` is emptied before
 * and gone afterwards.
 */
export async function compressFiles(
  how: {
    readonly exec: Exec;
    readonly codec: Codec;
    readonly level: number;
    readonly scratch: string;
    readonly memory: ReusedMemory;
  },
  paths: readonly string[],
  use: (bytes: Buffer, index: number) => Promise<void>,
): Promise<void> {
  const { exec, codec, level, scratch, memory } = how;
  const command = await compressor(exec, codec, level);
  const many = command?.argv[0];
  if (paths.length < 2 || (many !== "zstd" && many !== "igzip")) {
    for (const [index, path] of paths.entries())
      await use(await compressFile(exec, codec, level, path), index);
    return;
  }
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    const flags = command?.argv.slice(1).filter((flag) => flag !== "-c") ?? [];
    const names = paths.map((path) => join(scratch, basename(path)));
    if (many === "zstd") {
      await exec.run({ argv: ["zstd", ...flags, "--output-dir-flat", scratch, "--", ...paths] });
    } else {
      // It writes beside what it reads, and reads through links.
      for (const [index, name] of names.entries()) await symlink(paths[index] ?? "", name);
      await exec.run({ argv: ["igzip", ...flags, "-n", ...names] });
    }
    for (const [index, name] of names.entries()) {
      const compressed = `${name}${many === "zstd" ? ".zst" : ".gz"}`;
      await use(await readInto(compressed, memory), index);
      await rm(compressed);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readInto(path: string, memory: ReusedMemory): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const bytes = memory.take((await file.stat()).size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at);
      if (bytesRead === 0)
        throw new HoldfastError("tool-failed", `'${path}' has become shorter while it was read`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
