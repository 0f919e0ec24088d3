/**
 * `node read-archive.ts REPORT [ARCHIVE]`: reads an archive (standard input without a name) in a process of its
 * own, because every byte is hashed, and leaves what it found as JSON. Damage is an answer and no failure: the
 * rest of the input is read all the same, so that what feeds it can judge its own part.
 */
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { HoldfastError } from "../../errors.ts";
import { type ArchiveFacts, readArchive } from "./archive.ts";

export type ArchiveReport = { readonly facts: ArchiveFacts } | { readonly damage: string };

async function report(input: NodeJS.ReadableStream): Promise<ArchiveReport> {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  // A loop that ends early would close the input.
  const stream = { [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) };
  try {
    return { facts: await readArchive(stream) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    while ((await chunks.next()).done !== true);
    return { damage: error.message };
  }
}

if (import.meta.main) {
  const [, , path = "", archive] = process.argv;
  const input = archive === undefined ? process.stdin : createReadStream(archive, { highWaterMark: 1 << 20 });
  await writeFile(path, JSON.stringify(await report(input)), { mode: 0o600 });
}
