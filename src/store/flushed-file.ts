/** A file that is on its way to the disk while it is written, so that little is left for the sync at its end. */
import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { makePassingFolder, writeWhole } from "./disk.ts";

/** Written since the last flush began. With smaller steps the disk would write its own notes more often. */
const flushEveryBytes = 16 * 1024 * 1024;

export interface FlushedFile {
  /** All of `bytes` is in the file. @throws also what an earlier flush has met */
  write(bytes: Uint8Array): Promise<void>;
  /** All that was written is on the disk. @throws also what an earlier flush has met */
  sync(): Promise<void>;
  stat(): Promise<BigIntStats>;
  close(): Promise<void>;
}

/** A new file at `path`, which lies below `root`; the folders it needs are made. */
export async function newFlushedFile(root: string, path: string): Promise<FlushedFile> {
  await makePassingFolder(root, dirname(path));
  return flushedBeside(await open(path, "wx", 0o640));
}

export function flushedBeside(
  file: Pick<FileHandle, "write" | "datasync" | "sync" | "stat" | "close">,
): FlushedFile {
  let unflushedBytes = 0;
  let flushing: Promise<void> | undefined;
  let failure: unknown;
  const flush = async () => {
    try {
      await file.datasync();
    } catch (error) {
      // The kernel tells of a lost page once: the sync at the end would know nothing of it.
      failure ??= error;
    }
    flushing = undefined;
  };
  const demandWell = () => {
    if (failure !== undefined) throw failure;
  };
  return {
    write: async (bytes) => {
      demandWell();
      await writeWhole(file, bytes);
      unflushedBytes += bytes.byteLength;
      if (unflushedBytes < flushEveryBytes || flushing !== undefined) return;
      unflushedBytes = 0;
      flushing = flush();
    },
    sync: async () => {
      await flushing;
      demandWell();
      await file.sync();
    },
    stat: () => file.stat({ bigint: true }),
    close: async () => {
      // Closed under a flush, the descriptor could be another file's by then.
      await flushing;
      await file.close();
    },
  };
}
