/** The receiver's spool: WAL files as pg_receivewal writes them, until the store has them. */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { parseSegment } from "./wal.ts";

export interface SpoolFiles {
  /** Whole segments, in the order of the log. */
  readonly segments: readonly string[];
  /** Names without `.partial`, oldest first. */
  readonly partials: readonly { readonly name: string; readonly modifiedMs: number }[];
  /** Timelines with a history file. */
  readonly histories: readonly string[];
}

const owner = "holdfast-spool.json";

/**
 * After it the folder is there and belongs to the server `systemIdentifier`.
 * @throws guard-refused when it holds WAL of another server: mixing the two would corrupt the chain
 */
export async function openSpool(folder: string, systemIdentifier: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, owner);
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) {
    const found = (JSON.parse(known) as { systemIdentifier: string }).systemIdentifier;
    if (found === systemIdentifier) return;
    throw new HoldfastError(
      "guard-refused",
      `the spool '${folder}' holds WAL of server ${found}, this one is ${systemIdentifier}`,
      {
        hint: "a server that was initialised anew needs a new policy or prefix; move the spool away once you know it is not needed",
      },
    );
  }
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify({ systemIdentifier }));
  await rename(temporary, path);
}

export async function readSpool(folder: string, segmentBytes: number): Promise<SpoolFiles> {
  const segments: string[] = [];
  const partials: { name: string; modifiedMs: number }[] = [];
  const histories: string[] = [];
  for (const entry of await readdir(folder)) {
    if (entry.endsWith(".history")) histories.push(entry.slice(0, -".history".length));
    else if (entry.endsWith(".partial")) {
      const name = entry.slice(0, -".partial".length);
      if (parseSegment(name, segmentBytes) === undefined) continue;
      // It may have become a whole segment since the listing.
      const facts = await stat(join(folder, entry)).catch(() => undefined);
      if (facts !== undefined && facts.size > 0) partials.push({ name, modifiedMs: facts.mtimeMs });
    } else if (parseSegment(entry, segmentBytes) !== undefined) segments.push(entry);
  }
  const inLogOrder = (a: string, b: string): number =>
    (parseSegment(a, segmentBytes)?.sequence ?? 0) - (parseSegment(b, segmentBytes)?.sequence ?? 0) ||
    (a < b ? -1 : 1);
  return {
    segments: segments.sort(inLogOrder),
    partials: partials.sort((a, b) => inLogOrder(a.name, b.name)),
    histories: histories.sort(),
  };
}

/**
 * pg_receivewal begins where its folder ends. An empty folder would make it begin at the server's present
 * position and skip what the slot has kept, so an empty partial file says where to begin.
 */
export async function seedSpool(
  folder: string,
  segmentBytes: number,
  firstSegment: string,
): Promise<boolean> {
  const entries = await readdir(folder);
  const hasWal = entries.some(
    (entry) => parseSegment(entry.replace(/\.partial$/, ""), segmentBytes) !== undefined,
  );
  if (hasWal) return false;
  await writeFile(join(folder, `${firstSegment}.partial`), "");
  return true;
}

export async function dropFromSpool(folder: string, entry: string): Promise<void> {
  await rm(join(folder, entry), { force: true });
}
