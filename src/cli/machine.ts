/** The machine this process runs on. */
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Exec } from "../exec/exec.ts";
import type { Machine } from "../operate/machine.ts";
import { readIdentities } from "./secrets.ts";

export function openMachine(exec: Exec, identities: readonly string[], workFolder: string): Machine {
  return {
    find: async (program, places = []) => {
      for (const place of places) {
        const found = await exec.find(`${place}/${program}`);
        if (found !== undefined) return found;
      }
      return exec.find(program);
    },
    freeBytes,
    freeMemoryBytes: () => process.availableMemory(),
    recipients: async () => {
      if (identities.length === 0) return [];
      const { recipientOf } = await import("../crypto/identity.ts");
      return Promise.all((await readIdentities(identities)).map(recipientOf));
    },
    workFolder,
  };
}

/** A folder that is not there yet will be on the disk of the nearest one above it that is. */
async function freeBytes(folder: string): Promise<number> {
  const path = resolve(folder);
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) throw error;
    return freeBytes(parent);
  }
}
