/**
 * Whole files on their way into the store's log: compressed and hashed by programs, many files by one program
 * where the program can, because starting one costs this process more than the compression of a small file.
 */
import { mkdir, open, readFile, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Command } from "../catalogue/artifact.ts";
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
 * Compresses each file of `paths` (different base names) into the new folder `scratch`, which is the caller's to
 * remove. Paths of what came of each, in the same order; where nothing is compressed that is the file itself.
 */
export async function compressFiles(
  how: { readonly exec: Exec; readonly codec: Codec; readonly level: number; readonly scratch: string },
  paths: readonly string[],
): Promise<readonly string[]> {
  const { exec, codec, level, scratch } = how;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const command = await compressor(exec, codec, level);
  if (command === undefined) return paths;
  const [program, ...flags] = command.argv;
  const names = paths.map((path) => join(scratch, basename(path)));
  const toFiles = flags.filter((flag) => flag !== "-c");
  if (program === "zstd") {
    await exec.run({ argv: ["zstd", ...toFiles, "--output-dir-flat", scratch, "--", ...paths] });
    return names.map((name) => `${name}.zst`);
  }
  if (program === "igzip") {
    // It writes beside what it reads, and reads through links.
    for (const [index, name] of names.entries()) await symlink(paths[index] ?? "", name);
    await exec.run({ argv: ["igzip", ...toFiles, "-n", ...names] });
    return names.map((name) => `${name}.gz`);
  }
  for (const [index, name] of names.entries()) await compressTo(exec, command, paths[index] ?? "", name);
  return names;
}

async function compressTo(exec: Exec, command: Command, from: string, to: string): Promise<void> {
  await using input = await open(from, "r");
  await using output = await open(to, "wx", 0o600);
  await exec.pipe([command], { input: input.fd, outputDescriptor: output.fd }).done;
}

/** All of the file at `path`, in `memory`. */
export async function readInto(path: string, memory: ReusedMemory): Promise<Buffer> {
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
