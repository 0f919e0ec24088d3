/**
 * Kernel pipes with blocking ends. Node's own pipes to children are socket pairs that it begins to read by
 * itself, so a descriptor taken from them can lose its first bytes; a FIFO that is opened and unlinked cannot.
 */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FifoEnds {
  readonly readDescriptor: number;
  readonly writeDescriptor: number;
}

/** Both ends, owned by the caller; nothing is left in the file system. */
export function openFifo(): FifoEnds {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pipe-"));
  try {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", path]);
    // Opened for both first, because opening one end alone waits for the other.
    const both = openSync(path, constants.O_RDWR);
    const readDescriptor = openSync(path, constants.O_RDONLY);
    const writeDescriptor = openSync(path, constants.O_WRONLY);
    closeSync(both);
    return { readDescriptor, writeDescriptor };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
