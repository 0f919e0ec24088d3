/** Test data that compresses as a database does: rows of text, pages of zeros and random bytes, the same for a seed. */
import { createCipheriv } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

const blockBytes = 1024 * 1024;

/** Writes `sizeBytes` to `path`; about a third of it is left after a fast compressor. */
export function writeMix(path: string, sizeBytes: number, seed = 1): void {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  const noise = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(blockBytes);
  const file = openSync(path, "w");
  try {
    for (let at = 0, index = 0; at < sizeBytes; at += blockBytes, index += 1) {
      const random = noise.update(zeros);
      const block = index % 5 === 4 ? random : rowsOf(random, index);
      writeSync(file, block.subarray(0, Math.min(blockBytes, sizeBytes - at)));
    }
  } finally {
    closeSync(file);
  }
}

/** Rows of 128 bytes: a running number, a random balance, a name from a short list, and filler. */
function rowsOf(random: Buffer, index: number): Buffer {
  const rows = Buffer.alloc(blockBytes, 32);
  for (let at = 0; at + 128 <= blockBytes; at += 128) {
    rows.writeUInt32BE(index * 8192 + at / 128, at);
    random.copy(rows, at + 8, at, at + 12);
    rows.write(`account ${random[at + 20]! % 37} of branch ${random[at + 21]! % 11}`, at + 24, "latin1");
    random.copy(rows, at + 64, at + 64, at + 72);
  }
  return rows;
}
