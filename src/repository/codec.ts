/** The programs that compress and decompress. Their output is plain gzip and zstd, for any reader. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";
import type { Exec } from "../exec/exec.ts";
import type { Codec } from "../policy/model.ts";

/**
 * Undefined where nothing is compressed. At low gzip levels `igzip` costs a fifth of zlib, at the same format. `zstd`
 * with one worker (`-T1`) keeps buffers for jobs that never come beside each other: 41 MB at level 3 against 14.
 */
export async function compressor(exec: Exec, codec: Codec, level: number): Promise<Command | undefined> {
  if (codec === "none") return undefined;
  if (codec === "zstd")
    return {
      argv: [
        "zstd",
        "--single-thread",
        ...(level > 19 ? ["--ultra"] : []),
        `-${Math.max(1, level)}`,
        "-c",
        "-q",
      ],
    };
  if (level <= 3 && (await exec.find("igzip")) !== undefined) return { argv: ["igzip", `-${level}`, "-c"] };
  const degree = `-${Math.min(9, Math.max(1, level))}`;
  if ((await exec.find("pigz")) !== undefined) return { argv: ["pigz", degree, "-p2", "-n", "-c"] };
  return { argv: ["gzip", degree, "-n", "-c"] };
}

export async function decompressor(exec: Exec, codec: Codec): Promise<Command | undefined> {
  if (codec === "none") return undefined;
  if (codec === "zstd") return { argv: ["zstd", "-d", "-c", "-q"] };
  // igzip and gzip both read members joined one after the other, as the format allows.
  if ((await exec.find("igzip")) !== undefined) return { argv: ["igzip", "-d", "-c"] };
  return { argv: ["gzip", "-d", "-c"] };
}

/** In memory, for small ones. @throws data-damaged when it does not decode or is larger than `limitBytes` */
export function decodeSmall(codec: Codec, bytes: Buffer, limitBytes: number): Buffer {
  try {
    if (codec === "gzip") return gunzipSync(bytes, { maxOutputLength: limitBytes });
    if (codec === "zstd") return zstdDecompressSync(bytes, { maxOutputLength: limitBytes });
  } catch (cause) {
    throw new HoldfastError(
      "data-damaged",
      `its ${codec} data does not decode: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  return bytes;
}

/** A compressor prints a frame around nothing; no more than this. */
const emptyFrameBytes = 128;

/** Whether compressed bytes of `sizeBytes`, of which `head` is the beginning, stand for no byte at all. */
export function isEmptyStream(codec: Codec, head: Buffer, sizeBytes: number): boolean {
  if (codec === "none" || sizeBytes === 0) return sizeBytes === 0;
  return sizeBytes <= emptyFrameBytes && decodeSmall(codec, head.subarray(0, sizeBytes), 65_536).length === 0;
}
