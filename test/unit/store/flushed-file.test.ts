/** A file that is flushed while it is written: when, and what becomes of a flush that fails. */
import { describe, expect, it } from "vitest";
import { flushedBeside } from "../../../src/store/flushed-file.ts";

const piece = Buffer.alloc(4 * 1024 * 1024);

/** A file that notes what is asked of it; its flushes end when the test says so. */
function notingFile() {
  const asked: string[] = [];
  const flushes: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const file = flushedBeside({
    write: (async (_bytes: Uint8Array, _from: number, length: number) => {
      asked.push("write");
      return { bytesWritten: length };
    }) as never,
    datasync: () => {
      asked.push("flush");
      return new Promise((end, fail) => flushes.push({ end, fail }));
    },
    sync: async () => {
      asked.push("sync");
    },
    stat: (async () => ({})) as never,
    close: async () => {
      asked.push("close");
    },
  });
  return { file, asked, flushes };
}

describe("a file that is flushed beside", () => {
  it("is flushed every 16 MiB, one flush at a time, and writing does not wait", async () => {
    const { file, asked, flushes } = notingFile();
    for (let n = 0; n < 10; n += 1) await file.write(piece);
    expect(asked.filter((a) => a === "flush")).toHaveLength(1);
    expect(asked.indexOf("flush")).toBe(4);
    flushes[0]?.end();
    await file.write(piece);
    expect(asked.filter((a) => a === "flush")).toHaveLength(2);
  });

  it("is synced and closed only when no flush is under way", async () => {
    const { file, asked, flushes } = notingFile();
    for (let n = 0; n < 4; n += 1) await file.write(piece);
    const synced = file.sync().then(() => file.close());
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).not.toContain("sync");
    flushes[0]?.end();
    await synced;
    expect(asked.slice(-2)).toEqual(["sync", "close"]);
  });

  it("fails at the next write and at the end when a flush has failed, though the sync would not", async () => {
    const { file, asked, flushes } = notingFile();
    for (let n = 0; n < 4; n += 1) await file.write(piece);
    flushes[0]?.fail(new Error("EIO"));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(file.write(piece)).rejects.toThrow("EIO");
    await expect(file.sync()).rejects.toThrow("EIO");
    expect(asked).not.toContain("sync");
    await file.close();
  });
});
