/** What every engine asks of the folder it restores into. */
import { readdir } from "node:fs/promises";
import { HoldfastError } from "../errors.ts";

/**
 * The folder is empty or not there: nothing is ever overwritten.
 * @throws target-not-empty when something is in it, or it is a file; usage when it cannot be read
 */
export async function requireEmpty(path: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    if (error.code === "ENOTDIR") return ["(it is a file)"];
    throw new HoldfastError("usage", `'${path}' cannot be read: ${error.message}`, { cause: error });
  });
  if (names.length === 0) return;
  throw new HoldfastError("target-not-empty", `'${path}' is not empty (${names.slice(0, 3).join(", ")})`);
}
