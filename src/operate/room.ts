/** Is there room for a restore? Asked before the first byte is written, since a full disk ends it in the middle. */
import type { Manifest } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { formatSize } from "../size.ts";
import type { Machine } from "./machine.ts";

export interface RoomNeeds {
  readonly diskBytes: number;
  readonly memoryBytes: number;
}

/** What a restore of the first of `chain` needs; its parents are decoded beside it. */
export function roomFor(chain: readonly Manifest[]): RoomNeeds {
  return {
    diskBytes: chain.reduce((sum, manifest) => sum + manifest.restoreNeeds.diskBytes, 0),
    memoryBytes: chain[0]?.restoreNeeds.memoryBytes ?? 0,
  };
}

/** What is short, in words; empty when there is room. `start` asks for the memory of a server as well. */
export async function shortages(
  machine: Machine,
  needs: RoomNeeds,
  folder: string,
  start: boolean,
): Promise<readonly string[]> {
  const freeBytes = await machine.freeBytes(folder);
  const freeMemoryBytes = machine.freeMemoryBytes();
  const short: string[] = [];
  if (needs.diskBytes > freeBytes) {
    short.push(
      `it needs ${formatSize(needs.diskBytes)} of disk and ${folder} has ${formatSize(freeBytes)} free`,
    );
  }
  if (start && needs.memoryBytes > freeMemoryBytes) {
    short.push(
      `a server on it needs ${formatSize(needs.memoryBytes)} of memory and ${formatSize(freeMemoryBytes)} are free`,
    );
  }
  return short;
}

/** @throws no-room */
export async function requireRoom(
  machine: Machine,
  chain: readonly Manifest[],
  folder: string,
  start: boolean,
): Promise<void> {
  const short = await shortages(machine, roomFor(chain), folder, start);
  if (short.length === 0) return;
  throw new HoldfastError(
    "no-room",
    `point ${chain[0]?.id ?? ""} cannot be restored here: ${short.join("; ")}`,
  );
}
