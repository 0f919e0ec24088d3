/** A pipe of the kernel between two programs, made by way of a FIFO, because Node itself makes only sockets. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Descriptors of this process, to be closed as soon as the programs have theirs. */
export interface KernelPipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** Undefined where none can be had (no `mkfifo`, a full disk): a socket does the same, only slower. */
export function kernelPipe(): KernelPipe | undefined {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), "holdfast-pipe-"));
    const path = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", path], { stdio: "ignore" });
    // Opening one end waits for the other; with both open for a moment, neither waits.
    const both = openSync(path, "r+");
    try {
      return { readEnd: openSync(path, "r"), writeEnd: openSync(path, "w") };
    } finally {
      closeSync(both);
    }
  } catch {
    return undefined;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
