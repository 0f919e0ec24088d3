/** Servers of the demo: in PATH, or where the scripts of `.ci` put them. */
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Exec } from "../../exec/exec.ts";

/** Full path of `program`; `folder` is how its folder in the cache begins, `below` where it lies in it. */
export async function findProgram(
  exec: Exec,
  program: string,
  folder: string,
  below = "",
): Promise<string | undefined> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "holdfast");
  const names = await readdir(cache).catch(() => [] as string[]);
  const places = names
    .filter((name) => name.startsWith(folder))
    .sort()
    .reverse()
    .map((name) => join(cache, name, below));
  return (await exec.find(program)) ?? (await exec.find(program, places));
}
